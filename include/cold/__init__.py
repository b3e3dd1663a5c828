"""Parquet cold storage: export and verification.

One file and one manifest per dataset and year: ``dataset=daily_bar/year=2024/part-0.parquet`` and
``_manifest.json`` beside it. Readers of Hive-partitioned Parquet skip names that begin with an underscore.
"""
