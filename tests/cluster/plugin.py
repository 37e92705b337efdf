"""The option `--cluster` of pytest and the fixtures of end-to-end tests; a run without a cluster ends with a banner that says so."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster import lifecycle, nodes, remains, stores
from tests.cluster.buckets import Store
from tests.cluster.places import CLUSTERS, State, read_state
from tests.cluster.steps import NoClusterError, shared

_TESTS = "tests/e2e/"
_GET_ONE = "make cluster-up && make test ARGS=--cluster"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--cluster`."""
    text = "run tests/e2e, on the cluster of SCOREMILL_TEST_KUBECONFIG or KUBECONFIG, else on one that kind makes"
    parser.getgroup("scoremill").addoption("--cluster", action="store_true", help=text)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the cluster before the first test; of several test processes only the first does this."""
    if session.config.getoption("--cluster") and not hasattr(session.config, "workerinput"):
        with session.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            try:
                lifecycle.up()
            except NoClusterError as error:
                pytest.exit(f"--cluster: {error}", returncode=pytest.ExitCode.USAGE_ERROR)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip end-to-end tests if there is no cluster."""
    if not config.getoption("--cluster"):
        for item in items:
            if item.nodeid.startswith(_TESTS):
                item.add_marker(pytest.mark.skip(reason="not run: no cluster"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run an end-to-end test that is marked `alone` while no other process runs one; the time of waiting is not the test's."""
    if not (item.config.getoption("--cluster") and item.nodeid.startswith(_TESTS)):
        return (yield)
    with shared(CLUSTERS / "tests", exclusively=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures of tests (`record_property("figures", …)`), then where the cluster is, or how to get one."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for _, figures in [each for each in report.user_properties if each[0] == "figures"]:
            terminalreporter.section(f"figures of {report.nodeid}")
            terminalreporter.write_line(str(figures))
    if config.getoption("--cluster"):
        terminalreporter.write_line("The cluster is left running, for the next time: make cluster-down ends it.")
        return
    left = [report for report in terminalreporter.getreports("skipped") if report.nodeid.startswith(_TESTS)]
    if left:
        terminalreporter.section("END-TO-END TESTS WERE NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{len(left)} tests need a Kubernetes cluster. To get one and run them:")
        terminalreporter.write_line(f"    {_GET_ONE}")


@pytest.fixture(scope="session")
def cluster() -> State:
    """Return the cluster that is up."""
    state = read_state()
    if state is None:
        pytest.fail("the cluster has been taken down during the tests")
    return state


@pytest.fixture(scope="session")
def kubeconfig(cluster: State) -> Iterator[Path]:
    """Return the cluster's kubeconfig, which KUBECONFIG names while tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", cluster.kubeconfig)
        yield Path(cluster.kubeconfig)


@pytest.fixture(scope="session")
def docker_host(cluster: State) -> str | None:
    """Return DOCKER_HOST of the Docker daemon that runs the nodes; None for the default daemon, or for a user's cluster."""
    return cluster.docker_host


@pytest.fixture(scope="session")
def runner_image(cluster: State) -> str | None:
    """Return the image of driver, scheduler and workers, built from this tree; the nodes of kind have it."""
    return cluster.runner


@pytest.fixture(scope="session")
def operator_image(cluster: State) -> str | None:
    """Return the operator's image, built from this tree; the nodes of kind have it."""
    return cluster.operator


@pytest.fixture(scope="session")
def load_image(cluster: State) -> Callable[[str], None]:
    """Return a function that loads an image of Docker into the nodes; a user's cluster must pull it."""

    def load(image: str) -> None:
        if cluster.kind:
            nodes.load([image], {**os.environ, **({"DOCKER_HOST": cluster.docker_host} if cluster.docker_host else {})})

    return load


@pytest.fixture
def namespace(kubeconfig: Path) -> Iterator[str]:
    """Return a new namespace that admits only restricted pods; it is deleted at the end without waiting."""
    # Imported only if a test needs it: its imports read the environment that conftest.py sets.
    from tests.support.kube import new_namespace

    with new_namespace(kubeconfig) as name:
        yield name


@pytest.fixture(scope="session")
def s3(cluster: State) -> Store:
    """Return the S3 server that all tests share; `s3.bucket()` creates a bucket."""
    return Store(stores.known("s3", cluster.s3_endpoint))


@pytest.fixture(scope="session")
def gcs(cluster: State) -> Store:
    """Return the Google Cloud Storage server that all tests share; `gcs.bucket()` creates a bucket."""
    return Store(stores.known("gcs", cluster.gcs_endpoint))


@pytest.fixture
def own_store(cluster: State) -> Iterator[Callable[[stores.Kind], Store]]:
    """Return a function that starts a server, which a test can stop and start again: `own_store("s3").server.stop()`."""
    started = []
    host = stores.known("s3", cluster.s3_endpoint).host

    def start(kind: stores.Kind) -> Store:
        server = stores.new(kind, host, f"-{secrets.token_hex(4)}")
        server.start()
        started.append(server)
        return Store(server)

    yield start
    for server in started:
        server.stop()
        remains.remove(server.folder)
