"""The process: leader lease, watches, queue, probes."""
