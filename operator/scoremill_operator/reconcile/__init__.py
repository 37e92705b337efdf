"""One ScoringJob or ScoringSchedule: observe, decide (pure), apply."""
