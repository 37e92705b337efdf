"""How tasks are run: the protocol, and its implementations."""
