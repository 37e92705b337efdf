"""Errors of client libraries as StorageError: what failed, whether to try again, and what to do."""
