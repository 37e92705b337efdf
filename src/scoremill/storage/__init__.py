"""HOW bytes move: one root on one file system, one rule for retries, one for credentials."""
