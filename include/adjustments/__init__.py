"""Base-price events, factors and adjusted series."""
