"""Grafana's dashboards, written in Python and kept as JSON, and the files that provision them."""
