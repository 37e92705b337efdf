"""A Docker daemon of our own: its data, socket, network and control group meet no other daemon's."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress

from tests.cluster import remains
from tests.cluster.places import DAEMON, SOURCES
from tests.cluster.steps import NoClusterError, run, say, step, succeeds

HOST = f"unix://{DAEMON}/docker.sock"
NETWORK = "kind"
_PID = DAEMON / "pid"
_LOG = DAEMON / "log"
_MEMORY = DAEMON / "before.json"


def environment() -> dict[str, str]:
    """The environment of a process that is to use this daemon, in the name of nobody else's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")} | {
        "DOCKER_HOST": HOST,
        "DOCKER_BUILDKIT": "0",  # BuildKit would call runc itself, past node/runc-fit
    }


def start() -> None:
    """The daemon answers, and has its network."""
    if _running() and not answers():
        say("a daemon of an earlier run does not answer: clearing it away")
    if not answers():
        remains.clear(DAEMON, _MEMORY)
        with step("start a Docker daemon", "2 s"):
            _launch()
    if not succeeds("docker", "network", "inspect", NETWORK, env=environment()):
        name = f"com.docker.network.bridge.name={remains.BRIDGE}"
        run("docker", "network", "create", "--opt", name, NETWORK, env=environment())


def stop() -> None:
    """The daemon has ended, and nothing of it is left but its images."""
    if answers():
        for container in run("docker", "ps", "--all", "--quiet", env=environment()).split():
            run("docker", "rm", "--force", "--volumes", container, env=environment())
        run("docker", "network", "prune", "--force", env=environment())
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int(_PID.read_text())
        if pid in _running():
            os.kill(pid, signal.SIGTERM)
            _until(lambda: pid not in _running(), 20)
    remains.clear(DAEMON, _MEMORY)
    for left in (_PID, DAEMON / "docker.sock"):
        left.unlink(missing_ok=True)
    shutil.rmtree(DAEMON / "exec", ignore_errors=True)


def answers() -> bool:
    """Whether our daemon runs and can be asked."""
    return bool(_running()) and succeeds("docker", "info", env=environment(), timeout=15)


def gateway(env: dict[str, str]) -> str:
    """This machine's address on the nodes' network: pods reach what listens there, and so does the machine itself."""
    networks = json.loads(run("docker", "network", "inspect", NETWORK, env=env))
    for config in networks[0]["IPAM"]["Config"]:
        if ":" not in config["Subnet"]:
            return str(config["Gateway"])
    raise NoClusterError(f"Docker's network {NETWORK} has no IPv4 gateway")


def _running() -> list[int]:
    return remains.processes(DAEMON, "dockerd")


def _launch() -> None:
    DAEMON.mkdir(parents=True, exist_ok=True)
    for stale in (_PID, DAEMON / "docker.sock"):
        stale.unlink(missing_ok=True)
    shutil.rmtree(DAEMON / "exec", ignore_errors=True)
    remains.remember(_MEMORY)
    with _LOG.open("wb") as log:
        process = subprocess.Popen(_command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    if not _until(lambda: process.poll() is not None or answers(), 60) or process.poll() is not None:
        raise NoClusterError("\n  ".join(["dockerd does not start:", *_LOG.read_text().splitlines()[-10:]]))


def _command() -> list[str]:
    command = ["dockerd", "--data-root", f"{DAEMON}/data", "--exec-root", f"{DAEMON}/exec", "--host", HOST]
    command += ["--pidfile", str(_PID), "--bridge", "none", "--ip6tables=false", "--config-file", str(_config())]
    command += ["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{remains.CGROUP}"]
    command += ["--add-runtime", f"fit={SOURCES}/node/runc-fit", "--default-runtime", "fit"]
    # By default a daemon lowers its own score, which takes a capability; later releases have no such option.
    if "--oom-score-adjust" in run("dockerd", "--help"):
        command += ["--oom-score-adjust", "0"]
    return command


def _config() -> os.PathLike[str]:
    """An empty file, so that another daemon's settings in /etc/docker are not read."""
    file = DAEMON / "daemon.json"
    file.write_text("{}\n")
    return file


def _until(condition: object, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
