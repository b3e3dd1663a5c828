"""The local platform: a PostgreSQL (or TimescaleDB) server and Airflow, run from folders without Docker."""
