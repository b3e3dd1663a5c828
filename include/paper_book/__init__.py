"""The paper book: signals traded session by session with money that is not real."""
