"""The custom resources: definitions, schedules and status."""
