"""Every call to the Kubernetes API: clusters, jobs, schedules, logs, and why something waits."""
