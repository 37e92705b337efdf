"""The operator of ScoringJobs and ScoringSchedules; `python -m scoremill_operator` runs it."""

from scoremill.extras import require

require("operator", "the operator")
