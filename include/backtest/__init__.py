"""Backtests: what followed each strategy's signals, over all history."""
