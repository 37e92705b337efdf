"""The operator of ScoringJobs and ScoringSchedules; `python -m scoremill_operator` runs it."""
