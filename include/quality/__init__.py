"""Suites, quarantine and session rules."""
