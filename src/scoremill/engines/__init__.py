"""Engines run tasks: their protocol, and its implementations."""
