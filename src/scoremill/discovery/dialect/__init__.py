"""The CSV dialect that a file probably has, and the flags that say so."""
