"""Connections, migrations and bulk loading."""
