"""The test cluster's own Docker daemon leaves the machine as it was, also where it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster import daemon, network, parts, remains
from tests.cluster.places import State


@dataclass(frozen=True, slots=True)
class Daemon:
    """A second daemon, in addition to that of the cluster's nodes."""

    folder: Path

    def call(self, code: str) -> str:
        """What `code` prints that is run for this daemon."""
        environment = {**os.environ, "SCOREMILL_TEST_CLUSTERS": str(self.folder)}
        code = f"from tests.cluster import daemon, lifecycle, network, remains\n{code}"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True
        )
        assert not done.returncode, done.stderr
        return done.stdout

    def docker(self, *arguments: str) -> str:
        """What its client prints."""
        host = f"unix://{self.folder}/docker/docker.sock"
        command = ["docker", "--host", host, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def run_a_container(self) -> None:
        """It has processes, mounts, a network interface, control groups and a published port."""
        archive = self.folder / "pause.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(parts.hyperkube() / "pause", "pause")
        self.docker("import", str(archive), "pause:1")
        publish = ["--network", network.NAME, "--publish", "127.0.0.1::80"]
        self.docker("run", "--detach", "--privileged", *publish, "pause:1", "/pause")

    def traces(self) -> set[str]:
        """What daemons leave in the kernel, less what is of the first daemon's containers, which come and go."""
        return {
            line for line in self.call(_TRACES).splitlines() if f"{daemon.DAEMON}/" not in line and "veth" not in line
        }


_TRACES = """
import os
from pathlib import Path
print(*remains.left(daemon.DAEMON), sep="\\n")
print(*(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()), sep="\\n")
print(*os.listdir("/sys/class/net"), sep="\\n")
print(*network._iptables("filter", "-S"), *network._iptables("nat", "-S"), sep="\\n")
print("forward", Path("/proc/sys/net/ipv4/ip_forward").read_text())
"""


@pytest.fixture
def second(cluster: State) -> Iterator[Daemon]:
    """Not started yet, and removed at the end."""
    if cluster.docker_host != daemon.HOST:
        pytest.skip("not run: the nodes are in the user's Docker daemon")
    with tempfile.TemporaryDirectory(
        prefix="mill-"
    ) as folder:  # short, for the path of a socket can have 107 characters
        second = Daemon(Path(folder))
        yield second
        second.call("lifecycle.down()")


def test_down_leaves_the_machine_as_it_was(second: Daemon) -> None:
    before = second.traces()
    second.call("daemon.start()")
    second.run_a_container()
    assert second.traces() > before
    second.call("lifecycle.down()")
    assert second.traces() == before


def test_a_killed_daemon_is_cleared_away_and_replaced(second: Daemon) -> None:
    before = second.traces()
    second.call("daemon.start()")
    second.run_a_container()
    for pid in remains.processes(second.folder / "docker", *remains.DAEMONS):
        os.kill(pid, signal.SIGKILL)
    assert second.traces() > before
    second.call("daemon.start()")
    assert second.docker("ps", "--quiet") == ""
    second.run_a_container()
    second.call("lifecycle.down()")
    assert second.traces() == before


def test_a_daemon_that_hangs_is_replaced(second: Daemon) -> None:
    second.call("daemon.start()")
    [pid] = remains.processes(second.folder / "docker", "dockerd")
    os.kill(pid, signal.SIGSTOP)
    second.call("daemon.start()")
    assert [pid] != remains.processes(second.folder / "docker", "dockerd")
    assert second.docker("info", "--format", "{{.DefaultRuntime}}") == "fit"


def test_a_second_start_keeps_the_daemon(second: Daemon) -> None:
    second.call("daemon.start()")
    before = remains.processes(second.folder / "docker", "dockerd")
    second.call("daemon.start()")
    assert remains.processes(second.folder / "docker", "dockerd") == before
