"""Credentials appear nowhere, pods are restricted, and strangers are not answered."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from distributed import Client

from scoremill.execute.place import connected
from scoremill.kubernetes.api import connect
from scoremill.kubernetes.clusters import Named, certificates_of
from scoremill.kubernetes.objects import issue, names
from scoremill.kubernetes.objects.names import DASK_OPERATOR
from scoremill.kubernetes.readiness import read
from scoremill.storage.filesystem import Store
from tests.cluster import remains
from tests.cluster.places import State
from tests.cluster.stores import Server, known, new
from tests.support.jobs import trip_bundle, trips
from tests.support.kube import Place, new_namespace

# Dask warns about the patch release of Python, which can differ from that of the image.
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore:Mismatched versions found")]

KEY, SECRET = f"KEY{secrets.token_hex(8)}", secrets.token_hex(20)
"""What opens the bucket of these tests and no other; found anywhere, it comes from here."""


class Guarded(Server):
    """An S3 server that knows KEY and SECRET alone."""

    @staticmethod
    def _environment() -> dict[str, str]:
        return os.environ | {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}


@pytest.fixture(scope="module")
def way(cluster: State) -> Iterator[dict[str, str]]:
    """The environment that leads to such a server; its bucket `rows` holds a job's input."""
    from s3fs import S3FileSystem

    free = new("s3", known("s3", cluster.s3_endpoint).host, f"-{secrets.token_hex(4)}")
    server = Guarded(free.kind, free.host, free.port, free.folder)
    server.start()
    S3FileSystem(endpoint_url=server.endpoint, key=KEY, secret=SECRET).mkdir("rows")
    way = {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.endpoint,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in way.items():
            patch.setenv(name, value)
        Store("s3://rows/in").write("rows.csv", trips(2000).to_csv(index=False).encode())
        yield way
    server.stop()
    remains.remove(server.folder)


@pytest.fixture(scope="module")
def place(kubeconfig: Path, runner_image: str, way: dict[str, str], tmp_path_factory) -> Iterator[Place]:
    """A namespace with the Secret `buckets`; what the client leaves on its disk is in `TMPDIR`."""
    disk = tmp_path_factory.mktemp("disk")
    with new_namespace(kubeconfig) as namespace:
        client = {"TMPDIR": str(disk), "XDG_CACHE_HOME": str(disk), "HOME": str(disk)}
        place = Place(kubeconfig, namespace, runner_image, {**way, **client})
        place.secret("buckets", way)
        yield place


@pytest.fixture(scope="module")
def vault(place: Place) -> Named:
    return place.up("vault", "--secret", "buckets")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("model") / "bundle")


@dataclass(frozen=True)
class Needles:
    """Texts that must not appear, as they are and as Secrets encode them."""

    texts: frozenset[str]

    def within(self, hay: object) -> list[str]:
        """Those that appear in `hay`."""
        text = hay.decode(errors="replace") if isinstance(hay, bytes) else str(hay)
        encoded = {base64.b64encode(each.encode()).decode() for each in self.texts}
        return [each for each in self.texts | encoded if each in text]


@pytest.fixture(scope="module")
def needles(vault: Named) -> Needles:
    """The bucket's credentials, and the private key of the cluster's certificate: whole and its lines."""
    key = certificates_of(vault).key
    return Needles(frozenset({KEY, SECRET, key, *key.splitlines()[1:-1]}))


def test_credentials_and_keys_appear_nowhere(vault, place, model, needles) -> None:
    job = [
        "--model",
        model,
        "--input",
        "s3://rows/in/*.csv",
        "--output",
        "s3://rows/out",
        "--set",
        "spec.input.partitionBytes=16KiB",
    ]
    up = ["cluster", "up", "vault", "--secret", "buckets", "--dry-run", "-o"]
    said = {
        " ".join(words): place.run(*words)
        for words in (
            ["score", *job, "--cluster", "vault"],
            ["plan", *job, "--json"],
            ["verify", "s3://rows/out"],
            ["report", "s3://rows/out"],
            [*up, "yaml"],
            [*up, "json"],
            ["cluster", "status", "vault", "--json"],
            ["cluster", "logs", "vault"],
            ["cluster", "logs", "vault", "--worker", "all"],
            ["cluster", "list"],
        )
    }
    assert {name: done.stderr for name, done in said.items() if done.returncode} == {}
    assert {name: found for name, done in said.items() if (found := needles.within(done.stdout + done.stderr))} == {}

    objects = place.everything()
    assert len({"DaskCluster", "Deployment", "Pod", "Event"} & {each["kind"] for each in objects}) == 4
    holders = {f"{each['kind']} {each['metadata']['name']}" for each in objects if needles.within(json.dumps(each))}
    assert holders == {"Secret buckets", "Secret vault-tls"}

    logs = _logs(vault)
    assert len(logs) == 2 and all(logs.values())
    assert {pod for pod, log in logs.items() if needles.within(log)} == set()
    assert needles.within(_log_of_dask_kubernetes(place)) == []

    there = Store("s3://rows/out")
    written = {info.name: there.read(info.name) for info in there.list()}
    assert any("receipts" in name for name in written) and any("part-" in name for name in written)
    assert {name for name, data in written.items() if needles.within(data)} == set()
    disk = Path(place.environment["TMPDIR"])
    assert [path for path in disk.rglob("*") if path.is_file() and needles.within(path.read_bytes())] == []


def _logs(at: Named) -> dict[str, str | None]:
    """What the pods of a cluster have logged, by their names."""
    pods = [each["metadata"]["name"] for each in at.kube.select("Pod", names.selector(at.name))]
    return {pod: at.kube.log(pod, 10000) for pod in pods}


def _log_of_dask_kubernetes(place: Place) -> str:
    pods = place.kube.select("Pod", f"app.kubernetes.io/name={DASK_OPERATOR}", everywhere=True)
    logs = [
        connect(str(place.kubeconfig), namespace=pod["metadata"]["namespace"]).log(pod["metadata"]["name"], 10000)
        for pod in pods
    ]
    assert any(place.namespace in (log or "") for log in logs)
    return str(logs)


def test_the_bucket_s_credentials_are_given_to_workers_alone_and_by_name(vault, needles) -> None:
    cluster = yaml.safe_dump(vault.kube.get("DaskCluster", vault.name))
    assert "secretRef" in cluster and needles.within(cluster) == []
    with _asking(vault) as ours:
        [of_worker] = ours.run(lambda: dict(os.environ)).values()
        of_scheduler = ours.run_on_scheduler(lambda: dict(os.environ))
    assert of_worker["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert needles.within(of_scheduler) == []


def test_the_scheduler_s_pages_tell_no_credential(vault, needles) -> None:
    pages = ["/json/identity.json", "/json/counts.json", "/metrics", "/info/main/workers.html", "/info/main/logs.html"]
    with vault.forward(names.HTTP_PORT) as forward:
        [worker] = json.loads(read(forward, "/json/identity.json") or b"")["workers"]
        quoted = worker.replace("/", "%2F")
        pages += [f"/info/worker/{quoted}.html", f"/info/logs/{quoted}.html", f"/info/call-stacks/{quoted}.html"]
        answers = {page: read(forward, page) for page in pages}
    assert all(answers.values())
    assert {page for page, answer in answers.items() if needles.within(answer)} == set()


def test_wrong_secret_ends_the_run_with_its_reason_and_is_not_printed(place, model, way) -> None:
    wrong = secrets.token_hex(20)
    place.secret("wrong", {**way, "AWS_SECRET_ACCESS_KEY": wrong})
    at = place.up("wrong", "--secret", "wrong")
    job = ["--model", model, "--input", "s3://rows/in/*.csv", "--output", "s3://rows/wrong", "--cluster", "wrong"]
    said = place.fails(5, "score", *job)
    assert Needles(frozenset({wrong, SECRET})).within([said, _logs(at)]) == []
    assert "error[CredentialsRejected]: the secret access key for s3://rows/wrong/" in said
    place.ok("cluster", "down", "wrong")


def test_pods_are_restricted_by_the_namespace_and_have_no_token(vault, place) -> None:
    root = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root"},
        "spec": {"containers": [{"name": "root", "image": place.image}]},
    }
    with pytest.raises(Exception, match="violates PodSecurity"):
        place.kube.create(root)
    with _asking(vault) as ours:
        seen = [*ours.run(_confinement()).values(), ours.run_on_scheduler(_confinement())]
    locked = {"Uid": "1000", "Gid": "1000", "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    assert seen == [{**locked, "token": False, "root": "ro"}] * 2


def _confinement() -> Any:
    def confinement() -> dict[str, Any]:
        """What the kernel says of this process; made here, for a pod has no module of these tests."""
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        status = {name: lines[name].split()[0] for name in ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
        [root] = [line.split() for line in Path("/proc/mounts").read_text().splitlines() if line.split()[1] == "/"]
        there = Path("/var/run/secrets/kubernetes.io").exists()
        return {**status, "token": there, "root": root[3].split(",")[0]}

    return confinement


def test_strangers_are_answered_by_no_part_of_the_cluster(vault, place) -> None:
    """Asked from within the cluster, where no forwarding and, with this network, no policy stands between."""
    ours, others = certificates_of(vault), issue("vault", place.namespace)
    shown = {
        "own": (ours.ca, ours.certificate, ours.key),
        "of another authority": (others.ca, others.certificate, others.key),
        "of another authority, unchecked": (ours.ca, others.certificate, others.key),
        "none": None,
    }
    with _asking(vault) as client:
        [(worker, details)] = client.scheduler_info(n_workers=-1)["workers"].items()
        addresses = [names.scheduler_address("vault", place.namespace), worker, details["nanny"]]
        [answers] = client.run(_questions(), addresses, shown).values()
    assert {key for key, answer in answers.items() if answer is True} == {(address, "own") for address in addresses}
    refused = "CommClosedError"
    assert all(answer is True or answer.endswith(refused) for answer in answers.values()), answers


def _questions() -> Any:
    async def questions(addresses: list[str], shown: dict[str, Any]) -> dict[tuple[str, str], bool | str]:
        """Return for each address and each certificate whether Dask's first request is answered; else the error."""
        from distributed import Security
        from distributed.core import rpc

        async def is_answered(address: str, texts: Any) -> bool | str:
            security = Security(require_encryption=False)
            if texts:
                names = ("tls_ca_file", "tls_client_cert", "tls_client_key")
                security = Security(require_encryption=True, **dict(zip(names, texts, strict=True)))
            else:
                address = address.replace("tls:", "tcp:")
            try:
                async with rpc(address, timeout=5, connection_args=security.get_connection_args("client")) as there:
                    return "id" in await there.identity()
            except OSError as error:
                return type(error).__name__

        return {
            (address, who): await is_answered(address, texts) for address in addresses for who, texts in shown.items()
        }

    return questions


@contextmanager
def _asking(vault: Named) -> Iterator[Client]:
    with connected(vault) as found, Client(found.address, security=found.security, set_as_default=False) as client:
        yield client
