"""What each kind of store does: list, read, write and commit."""
