"""Work on finished outputs: retry, compact, compare and clean."""
