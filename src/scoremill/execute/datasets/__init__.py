"""Inputs held in a cluster's memory, read once and scored by several models."""
