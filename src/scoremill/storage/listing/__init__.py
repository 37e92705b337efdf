"""From what a user names to the objects that are meant."""
