"""Rows: read from CSV and Parquet, converted, filtered, and written."""
