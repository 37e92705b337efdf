"""Scoring of data too large for one machine, with models that were trained in RAM."""

__version__ = "0.1.0"
