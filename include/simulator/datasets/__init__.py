"""The truth of every dataset, derived from the exchange, session by session."""
