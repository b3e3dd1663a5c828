"""Screens: conditions over indicators, fundamentals and flows, kept as data."""
