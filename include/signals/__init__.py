"""Signals: strategies over indicators, declared once, and what they say of each session."""
