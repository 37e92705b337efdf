"""Inputs in the memory of a cluster, read once and scored by several models."""
