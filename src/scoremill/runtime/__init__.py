"""The process in the runner pod: one attempt of a ScoringJob, its progress, its log and its termination message."""
