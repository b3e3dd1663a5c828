"""Indicators on adjusted daily bars: declared once, computed on arrays."""
