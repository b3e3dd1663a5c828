"""krx-warehouse: what the DAGs run, importable and testable without Airflow."""
