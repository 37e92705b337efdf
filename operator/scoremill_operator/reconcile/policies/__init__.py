"""One policy per module: from a JobState to a Transition, or None if the policy does not apply."""
