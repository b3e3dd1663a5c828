"""What the warehouse adds to Airflow, and what its DAGs share."""
