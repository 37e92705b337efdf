"""A separate Docker daemon, which shares no data, socket, network or control group with other daemons."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from tests.cluster import network, remains
from tests.cluster.places import DAEMON, SOURCES
from tests.cluster.steps import NoClusterError, detach, log_tail, run, say, step, succeeds, until

HOST = f"unix://{DAEMON}/docker.sock"
_PID = DAEMON / "pid"
_LOG = DAEMON / "log"


def environment() -> dict[str, str]:
    """Return the environment of a process that must use this daemon, without the user's settings of Docker."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")} | {
        "DOCKER_HOST": HOST,
        "DOCKER_BUILDKIT": "0",  # BuildKit would call runc itself, past node/runc-fit
    }


def start() -> None:
    """Start the daemon if it does not run, and create its network."""
    if not answers():
        if _running():
            say("the daemon of an earlier run does not answer: clearing it away")
        remains.clear(DAEMON)
        with step("start a Docker daemon", "2 s"):
            _launch()
    network.establish(environment())


def stop() -> None:
    """Stop the daemon, and remove all but its images."""
    if answers():
        for container in run("docker", "ps", "--all", "--quiet", env=environment()).split():
            run("docker", "rm", "--force", "--volumes", container, env=environment())
        run("docker", "network", "prune", "--force", env=environment())
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int(_PID.read_text())
        if pid in _running():
            os.kill(pid, signal.SIGTERM)
            until(lambda: pid not in _running(), 20)
    remains.clear(DAEMON)
    for left in (_PID, DAEMON / "docker.sock"):
        left.unlink(missing_ok=True)
    shutil.rmtree(DAEMON / "exec", ignore_errors=True)


def answers() -> bool:
    """Return whether the daemon runs and answers."""
    return bool(_running()) and succeeds("docker", "info", env=environment(), timeout=10)


def _launch() -> None:
    if len(longest := f"{DAEMON}/exec/containerd/containerd.sock.ttrpc") > 107:
        raise NoClusterError(
            f"too long for a socket: {longest}\n  set SCOREMILL_TEST_CLUSTERS to a folder with a shorter path"
        )
    DAEMON.mkdir(parents=True, exist_ok=True)
    for stale in (_PID, _LOG, DAEMON / "docker.sock"):
        stale.unlink(missing_ok=True)
    shutil.rmtree(DAEMON / "exec", ignore_errors=True)
    detach(_command(), _LOG)
    if not until(lambda: answers() or not _running(), 60) or not answers():
        raise NoClusterError(f"dockerd does not start:{log_tail(_LOG)}")


def _command() -> list[str]:
    command = ["dockerd", "--data-root", f"{DAEMON}/data", "--exec-root", f"{DAEMON}/exec", "--host", HOST]
    command += [
        "--pidfile",
        str(_PID),
        "--bridge",
        "none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--config-file",
        str(_config()),
    ]
    command += ["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{remains.CGROUP}"]
    command += ["--add-runtime", f"fit={_runtime()}", "--default-runtime", "fit"]
    # By default a daemon lowers its own score, which takes a capability; later releases have no such option.
    if "--oom-score-adjust" in run("dockerd", "--help"):
        command += ["--oom-score-adjust", "0"]
    return command


def _runtime() -> os.PathLike[str]:
    """Return the path of a copy that remains if this source tree is deleted."""
    return Path(shutil.copy(SOURCES / "node" / "runc-fit", DAEMON))


def _config() -> os.PathLike[str]:
    """Return the path of an empty file, so that another daemon's settings in /etc/docker are not read."""
    file = DAEMON / "daemon.json"
    file.write_text("{}\n")
    return file


def _running() -> list[int]:
    return remains.processes(DAEMON, "dockerd", "setsid")
