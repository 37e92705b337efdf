"""CSV text of any dialect rewritten in the plain one, which Arrow parses."""
