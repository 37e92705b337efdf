"""Work on outputs after a run: retry, compact, compare, clean, and rejected rows as a data frame."""
