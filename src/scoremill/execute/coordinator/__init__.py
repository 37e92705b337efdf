"""What runs once a run: prepare, resume, record every receipt, write the manifest."""
