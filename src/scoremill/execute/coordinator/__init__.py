"""Coordinate a run in the driver: prepare, resume, record every receipt, write the manifest."""
