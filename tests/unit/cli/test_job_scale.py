"""The number of workers of a job on Kubernetes, changed by hand."""

from __future__ import annotations

import pytest

from scoremill.errors import ClusterError
from scoremill.kubernetes.jobs import Ours
from scoremill.spec import Workers, parse_job
from tests.controller.api_server import Server

SPEC = {"model": {"uri": "s3://m/tips"}, "input": {"uris": ["s3://b/*.csv"]}, "output": {"uri": "s3://b/out"}}


def test_job_scale_sets_a_number_or_a_range() -> None:
    server = Server()
    server.create({"kind": "ScoringJob", "metadata": {"name": "tips"}, "spec": {**SPEC, "cluster": {"memory": "2GiB"}}})
    jobs = Ours(server.client(), "ScoringJob")
    for count, bounds in (("8", (8, 8)), ("0:20", (0, 20)), ("2", (2, 2))):
        jobs.scale("tips", Workers.of(count))
        found = parse_job(jobs.find("tips")).spec.cluster
        assert found.bounds and (found.bounds.min, found.bounds.max) == bounds
        assert found.memory == 2 * 2**30


def test_job_scale_names_the_jobs_there_are() -> None:
    with pytest.raises(ClusterError, match='job "tips" not found'):
        Ours(Server().client(), "ScoringJob").scale("tips", Workers.of("8"))
