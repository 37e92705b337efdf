"""`scoremill job wait` continues during outages of the Kubernetes API."""

from __future__ import annotations

import pytest

from scoremill.cli.views.progress import ProgressView
from scoremill.kubernetes.api import Unavailable, connect
from scoremill.kubernetes.jobs import Ours, follow
from tests.support.api import serving
from tests.support.jobs import command

SPEC = {"model": {"uri": "s3://m/t"}, "input": {"uris": ["s3://i/*.csv"]}, "output": {"uri": "s3://o/t"}}
AWAY = range(3, 10)
"""More requests than one call makes."""


def test_job_wait_survives_an_api_outage(tmp_path):
    with serving(SPEC) as api:
        environment = {"KUBECONFIG": str(api.kubeconfig(tmp_path))}
        api.away = AWAY
        with command("job", "wait", "tips", environment=environment) as process:
            api.wait_for_looks(AWAY.start)
            api.job["status"] = {"phase": "Complete", "rows": {"total": 7, "scored": 7, "rejected": 0}}
            _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert api.looks >= AWAY.stop
    assert err.count("waiting for the Kubernetes API: ") == 1 and "is being upgraded" in err


def test_job_wait_fails_after_the_deadline_if_the_api_stays_away(tmp_path):
    with serving(SPEC) as api:
        api.away = range(2, 10**6)
        jobs = Ours(connect(str(api.kubeconfig(tmp_path))), "ScoringJob")
        with pytest.raises(Unavailable, match="is being upgraded"):
            follow(jobs, "tips", ProgressView(quiet=True), 3.0)
