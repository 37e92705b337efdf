"""The command line: one file a command group, imported when it is called."""

from .app import app, main

__all__ = ["app", "main"]
