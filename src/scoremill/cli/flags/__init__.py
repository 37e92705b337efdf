"""The flags of commands, and what they ask for."""
