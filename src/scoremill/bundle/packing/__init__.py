"""A model packed: what it reads and gives is measured on a sample, and proven in a clean process."""
