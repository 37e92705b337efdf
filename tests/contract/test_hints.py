"""Each hint that names a flag or a command works when it is followed.

A case runs a command that fails and then follows its hint. Hints about dialects, Dask and
Kubernetes are tested with those features.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import joblib
import pytest

from scoremill.cli.app import HIDDEN, app
from scoremill.ledger import Lease
from scoremill.storage import retry
from scoremill.storage.filesystem import Store
from tests.support.cli import here
from tests.support.jobs import ROOT, bundle_of_another_version, command, pipeline, trip_bundle, trips
from tests.support.proxy import Answer, Fault, Request, proxy
from tests.support.s3 import Bucket
from tests.support.tls import certificate

Words = tuple[object, ...]


@dataclass(frozen=True)
class World:
    """The folder of a test, and files that it can have."""

    folder: Path
    bundle: str
    scored: Path

    @property
    def file(self) -> Path:
        """A file of 300 rows shared by the tests, the input of the output that `copy` copies."""
        return self.scored.with_name("a.csv")

    @property
    def own_file(self) -> Path:
        """The same file in the folder of the test."""
        return self._frame("a.csv", bad=0)

    @property
    def bad_file(self) -> Path:
        """A file of 300 rows, 30 of which cannot be scored."""
        return self._frame("bad.csv", bad=30)

    @property
    def out(self) -> Path:
        """A folder for an output that does not exist yet."""
        return self.folder / "out"

    def copy(self) -> Path:
        """A copy of a complete output, which is faster than a run."""
        shutil.copytree(self.scored, self.out)
        return self.out

    def words(self, file: Path | None = None, *more: object) -> Words:
        """The command that scores a file to `out`."""
        words = ("score", "--cluster", "in-process", "--quiet", "--model", self.bundle)
        return (*words, "--input", file or self.file, "--output", self.out, *more)

    def _frame(self, name: str, bad: int) -> Path:
        path = self.folder / name
        if not path.exists():
            frame = trips(300).astype({"distance": "str"})
            frame.loc[: bad - 1, "distance"] = "x"
            frame.to_csv(path, index=False)
        return path


def works(words: Words) -> str:
    """Run a command that must succeed, and return its stdout."""
    code, out, err = here(*words)
    assert code == 0, f"{' '.join(map(str, words))}\n{err}"
    return out


@dataclass(frozen=True)
class Case:
    """A command that fails, its message, its hint, and a function that follows the hint."""

    fails: Words
    code: int
    message: str
    """A regular expression whose groups are passed to `follow`."""
    follow: Callable[..., object]
    after: tuple[Words, ...] = field(default=())
    """Commands that must work afterwards."""


def again(*words: object) -> Callable[..., object]:
    """Follow a hint by a command."""
    return lambda *_: works(words)


CASES: dict[str, Callable[[World], Case]] = {}


def case(make: Callable[[World], Case]) -> Callable[[World], Case]:
    """Add a case under the name of its function."""
    CASES[make.__name__] = make
    return make


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture(scope="module")
def scored(bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    world = World(folder, bundle, folder / "out")
    works(world.words(world.own_file))
    return world.out


@pytest.fixture
def world(bundle: str, scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return World(tmp_path, bundle, scored)


# --- models -----------------------------------------------------------------------------------------------------------


@case
def misspelled_bundle(w: World) -> Case:
    wrong = w.bundle.replace("trips", "tripz")
    words = w.words()
    return Case(
        tuple(wrong if word == w.bundle else word for word in words),
        2,
        r"no such bundle: .*\nhint: Did you mean (\S+)\?",
        lambda meant: works(tuple(meant if word == w.bundle else word for word in words)),
    )


@case
def model_file_in_place_of_a_bundle(w: World) -> Case:
    joblib.dump(pipeline(trips(300)), "model.joblib")
    w.own_file.rename("sample.csv")
    score = ("score", "--cluster", "in-process", "--input", "sample.csv", "--output", w.out, "--model")

    def follow(command: str) -> None:
        pack = command.replace("BUNDLE", "packed").split()
        works((*pack[1:], "--sample", "sample.csv", "--method", "predict"))
        works((*score, "packed"))

    return Case((*score, "model.joblib"), 2, "pack it: `(scoremill model pack .* --output BUNDLE)`", follow)


def untrusted(w: World) -> tuple[str, Words]:
    uri = f"memory://{w.folder.name}/bundle"
    for info in Store(w.bundle).list():
        Store(uri).write(info.name, Store(w.bundle).read(info.name))
    return uri, tuple(uri if word == w.bundle else word for word in w.words())


@case
def untrusted_bundle_by_digest(w: World) -> Case:
    _, words = untrusted(w)
    return Case(words, 2, r"give --digest (sha256:\w+)", lambda digest: works((*words, "--digest", digest)))


@case
def untrusted_bundle_by_prefix(w: World) -> Case:
    uri, words = untrusted(w)
    return Case(words, 2, "or a prefix of its URI with --trust", again(*words, "--trust", uri.rpartition("/")[0]))


@case
def bundle_of_another_digest(w: World) -> Case:
    def follow(command: str) -> None:
        digest = re.search(r"sha256:\w+", works(tuple(command.split()[1:])))
        assert digest
        works((*w.words(), "--digest", digest[0]))

    return Case(w.words(None, "--digest", f"sha256:{'0' * 64}"), 2, r"`(scoremill model inspect \S+)`", follow)


@case
def bundle_of_another_scikit_learn(w: World) -> Case:
    copy = bundle_of_another_version(w.bundle, w.folder / "old")
    words = tuple(copy if word == w.bundle else word for word in w.words())
    return Case(
        words,
        3,
        "allow it .--set spec.model.allowVersionSkew=true.",
        again(*words, "--set", "spec.model.allowVersionSkew=true"),
    )


# --- output options ---------------------------------------------------------------------------------------------------


@case
def no_output(w: World) -> Case:
    words = ("score", "--model", w.bundle, "--input", w.file)
    return Case(words, 2, "missing --output\n.*--limit 10", again(*words, "--limit", 10))


@case
def two_columns_of_a_name(w: World) -> Case:
    words = w.words(None, "--keep", "id", "--columns", "proba_0=id")
    return Case(words, 2, "another name with --columns", again(*words[:-1], "proba_0=other"))


@case
def columns_that_not_every_file_has(w: World) -> Case:
    Path("b.csv").write_text(trips(20).drop(columns="note").to_csv(index=False))
    words = w.words(None, "--input", "b.csv", "--keep", "*")
    return Case(
        words,
        3,
        "or give --set spec.output.drop for those that are not in every file",
        again(*words, "--set", "spec.output.drop=[note]"),
    )


@case
def existing_output_resumed(w: World) -> Case:
    w.copy()
    words = w.words(None, "--mode", "ErrorIfExists")
    return Case(words, 2, "exists already\n.*--mode Resume", again(*words[:-1], "Resume"))


@case
def existing_output_overwritten(w: World) -> Case:
    w.copy()
    words = w.words(None, "--mode", "ErrorIfExists")
    return Case(words, 2, "or --mode Overwrite", again(*words[:-1], "Overwrite"))


@case
def other_settings_overwritten(w: World) -> Case:
    w.copy()
    words = w.words(None, "--method", "predict")
    return Case(
        words,
        2,
        "--method: predict_proba → predict\n.*--mode Overwrite",
        again(*words, "--mode", "Overwrite"),
        (("verify", w.out),),
    )


@case
def other_settings_elsewhere(w: World) -> Case:
    w.copy()
    words = w.words(None, "--method", "predict")
    elsewhere = tuple("elsewhere" if word == w.out else word for word in words)
    return Case(words, 2, "or another output", again(*elsewhere), (("verify", "elsewhere"),))


@case
def other_settings_given_up(w: World) -> Case:
    w.copy()
    return Case(w.words(None, "--keep", "id"), 2, "Give the earlier settings to resume", again(*w.words()))


@case
def replaced_input(w: World) -> Case:
    works(w.words(w.own_file))
    w.own_file.write_text(trips(20, seed=1).to_csv(index=False))
    return Case(
        w.words(w.own_file),
        2,
        "was replaced since .*\n.*--mode Overwrite",
        again(*w.words(w.own_file), "--mode", "Overwrite"),
        (("verify", w.out),),
    )


@case
def input_left_out(w: World) -> Case:
    works(w.words(w.own_file))
    other = w.own_file.rename("other.csv")
    words = w.words(other)
    return Case(words, 2, "not in the input now\n.*--mode Overwrite", again(*words, "--mode", "Overwrite"))


@case
def output_of_compact(w: World) -> Case:
    works(("compact", w.copy(), "--rows-per-file", 100, "--to", "packed"))
    words = w.words()
    return Case(
        tuple("packed" if word == w.out else word for word in words),
        2,
        "Choose another output",
        again(*tuple("other" if word == w.out else word for word in words)),
    )


@case
def rejected_rows_beyond_a_number(w: World) -> Case:
    words = w.words(w.bad_file, "--max-error-fraction", 1)
    return Case(
        (*words, "--max-errors", 3),
        4,
        "run the same command with a higher --max-errors",
        again(*words, "--max-errors", 30),
        (("verify", w.out),),
    )


@case
def rejected_rows_beyond_a_fraction(w: World) -> Case:
    words = w.words(w.bad_file)
    return Case(words, 4, "with a higher --max-error-fraction", again(*words, "--max-error-fraction", 0.2))


@case
def row_that_ends_the_run(w: World) -> Case:
    words = w.words(w.bad_file, "--max-error-fraction", 1, "--on-row-error")
    return Case((*words, "Fail"), 4, "with --on-row-error Reject", again(*words, "Reject"))


@case
def condition_of_another_type(w: World) -> Case:
    words = w.words(None, "--where", "passengers > '2'")
    return Case(words, 2, "give another type with --dtypes", again(*words, "--dtypes", "passengers=string"))


@case
def model_that_fails_on_many_rows_together(w: World) -> Case:
    Path("crowded.py").write_text(
        "from sklearn.linear_model import LinearRegression\n"
        "class Crowded(LinearRegression):\n"
        "    def predict(self, X):\n"
        "        if len(X) > 100:\n"
        "            raise ValueError('too many rows')\n"
        "        return super().predict(X)\n"
    )
    train = "import joblib, crowded; joblib.dump(crowded.Crowded().fit(frame, frame.id), 'model.joblib')"
    frame = "import pandas; frame = pandas.read_csv('a.csv', usecols=['id', 'passengers'], nrows=50);"
    shutil.copy(w.file, "a.csv")
    subprocess.run([sys.executable, "-c", f"{frame} frame.to_csv('sample.csv', index=False); {train}"], check=True)
    works(("model", "pack", "model.joblib", "--output", "crowded", "--code", "crowded.py", "--sample", "sample.csv"))
    words = tuple("crowded" if word == w.bundle else word for word in w.words())
    return Case(
        words,
        3,
        "give a lower --set spec.model.batchRows, with --mode Overwrite",
        again(*words, "--set", "spec.model.batchRows=50", "--mode", "Overwrite"),
    )


# --- existing outputs -------------------------------------------------------------------------------------------------


@case
def misspelled_output(w: World) -> Case:
    w.copy()
    return Case(
        ("verify", "outt"),
        2,
        r"no such output: outt\nhint: Did you mean (\w+)\?",
        lambda meant: works(("verify", meant)),
    )


@case
def folder_that_is_no_output(w: World) -> Case:
    w.copy()
    return Case(
        ("report", w.folder),
        2,
        "is not an output of scoremill\n.*the run was given as --output",
        again("report", w.out),
    )


@case
def incomplete_output(w: World) -> Case:
    (w.copy() / "_scoremill" / "manifest.json").unlink()
    return Case(("verify", w.out), 7, "Run the same `scoremill score` again", again(*w.words()), (("verify", w.out),))


@case
def altered_part(w: World) -> Case:
    part = next(w.copy().glob("part-*"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    return Case(
        ("verify", w.out),
        7,
        "`scoremill score` with --mode Overwrite",
        again(*w.words(None, "--mode", "Overwrite")),
        (("verify", w.out),),
    )


@case
def missing_part(w: World) -> Case:
    next(w.copy().glob("part-*")).unlink()
    return Case(
        ("verify", w.out),
        7,
        "`scoremill score` with --mode Overwrite",
        again(*w.words(None, "--mode", "Overwrite")),
        (("verify", w.out),),
    )


@case
def surplus_part(w: World) -> Case:
    surplus = w.copy() / "part-99999.parquet"
    surplus.write_text("1")
    return Case(("verify", w.out), 7, "Remove the surplus objects", surplus.unlink, (("verify", w.out),))


@case
def damaged_manifest(w: World) -> Case:
    manifest = w.copy() / "_scoremill" / "manifest.json"
    manifest.write_text("{")

    def follow() -> None:
        manifest.unlink()
        works(w.words())

    return Case(
        ("verify", w.out), 7, "Delete it and run the same `scoremill score` again", follow, (("verify", w.out),)
    )


@case
def damaged_segment_of_the_manifest(w: World) -> Case:
    next(w.copy().glob("_scoremill/manifest/*")).write_text("1")

    def follow(name: str) -> None:
        (w.out / name).unlink()
        works(w.words())

    return Case(
        ("verify", w.out), 7, r"Delete (\S+) and run the same `scoremill score` again", follow, (("verify", w.out),)
    )


@case
def damaged_receipts(w: World) -> Case:
    receipts = next(w.copy().glob("_scoremill/receipts/*"))
    receipts.write_text("1")

    def follow() -> None:
        receipts.unlink()
        works(w.words())

    return Case(
        ("report", w.out),
        7,
        "Restore or delete it, then run the same `scoremill score` again",
        follow,
        (("report", w.out), ("verify", w.out)),
    )


@case
def scores_that_differ_a_little(w: World) -> Case:
    w.copy()
    words = w.words(None, "--set", "spec.output.dtype=float32")
    works(tuple("rounded" if word == w.out else word for word in words))
    words = ("verify", w.out, "--against", "rounded")
    return Case(words, 7, r"give --tolerance (\S+)\.", lambda tolerance: works((*words, "--tolerance", tolerance)))


@case
def retry_of_an_incomplete_output(w: World) -> Case:
    works(w.words(w.bad_file, "--max-error-fraction", 1))
    (w.out / "_scoremill" / "manifest.json").unlink()

    def follow() -> None:
        works(w.words(w.bad_file, "--max-error-fraction", 1))
        works(("retry-rejected", w.out, "--model", w.bundle))

    return Case(("retry-rejected", w.out), 7, "Complete it first: run the same `scoremill score` again", follow)


@case
def retry_without_the_rows(w: World) -> Case:
    works(w.words(w.bad_file, "--max-error-fraction", 1, "--set", "spec.errors.raw=Omit"))

    def follow() -> None:
        words = w.words(w.bad_file, "--max-error-fraction", 1, "--set", "spec.errors.raw=Keep")
        works(tuple("other" if word == w.out else word for word in words))
        works(("retry-rejected", "other", "--model", w.bundle))

    return Case(
        ("retry-rejected", w.out, "--model", w.bundle), 2, "to another output, with --set spec.errors.raw=Keep", follow
    )


@case
def retry_of_an_output_elsewhere(w: World) -> Case:
    uri = f"memory://{w.folder.name}/out"
    words = w.words(w.bad_file, "--max-error-fraction", 1)
    works(tuple(uri if word == w.out else word for word in words))
    retry = ("retry-rejected", uri)
    return Case(retry, 2, r"give --digest (sha256:\w+)", lambda digest: works((*retry, "--digest", digest)))


@case
def retry_without_a_model(w: World) -> Case:
    works(w.words(w.bad_file, "--max-error-fraction", 1))
    retry = ("retry-rejected", w.out)
    return Case(retry, 2, "a prefix of its URI with --trust", again(*retry, "--trust", Path(w.bundle).parent))


@case
def compact_to_a_full_folder(w: World) -> Case:
    (w.folder / "full").mkdir()
    (w.folder / "full" / "a").write_text("1")
    words = ("compact", w.copy(), "--rows-per-file", 100, "--to")
    return Case((*words, "full"), 2, "Choose an empty folder or prefix with --to", again(*words, "empty"))


# --- commands and fields ----------------------------------------------------------------------------------------------


@case
def misspelled_command(w: World) -> Case:
    return Case(
        ("scores", *w.words()[1:]), 2, r"Did you mean `scoremill (\w+)`\?", lambda meant: works((meant, *w.words()[1:]))
    )


@case
def misspelled_cluster(w: World) -> Case:
    words = tuple(word for word in w.words() if word not in {"--cluster", "in-process"})
    return Case(
        (*words, "--cluster", "inprocess"),
        6,
        r"Did you mean --cluster ([\w-]+)\?",
        lambda meant: works((*words, "--cluster", meant)),
    )


@case
def unknown_field(w: World) -> Case:
    Path("job.yaml").write_text("spec: {modle: {}}")
    return Case(("score", "job.yaml"), 2, "`(scoremill schema)` prints", lambda command: works((command.split()[1],)))


@case
def parquet_that_is_csv(w: World) -> Case:
    words = w.words(w.own_file.rename("a.parquet"))
    return Case(words, 3, "--set spec.input.format=csv", again(*words, "--set", "spec.input.format=csv"))


# --- packing ----------------------------------------------------------------------------------------------------------


@case
def model_that_needs_a_sample(w: World) -> Case:
    frame = trips(300)
    joblib.dump(pipeline(frame), "model.joblib")
    frame.to_csv("sample.csv", index=False)
    words = ("model", "pack", "model.joblib", "--output", "packed")
    return Case(words, 2, "Give a sample .--sample.", again(*words, "--sample", "sample.csv"))


@case
def misspelled_model_and_sample(w: World) -> Case:
    joblib.dump(pipeline(trips(300)), "model.joblib")
    shutil.copy(w.file, "sample.csv")

    def follow(model: str) -> None:
        words = ("model", "pack", model, "--output", "packed", "--sample")
        code, _, err = here(*words, "simple.csv")
        found = re.search(r"there is no sample file simple.csv\nhint: Did you mean (\S+)\?", err)
        assert code == 2 and found, err
        works((*words, found[1]))

    words = ("model", "pack", "modell.joblib", "--output", "packed", "--sample", "sample.csv")
    return Case(words, 2, r"there is no model file modell.joblib\nhint: Did you mean (\S+)\?", follow)


@case
def model_that_needs_a_module(w: World) -> Case:
    Path("halving.py").write_text(
        "from sklearn.linear_model import LogisticRegression\nclass Halved(LogisticRegression):\n    pass\n"
    )
    script = "import joblib, halving; joblib.dump(halving.Halved().fit([[0.], [1.]], [0, 1]), 'model.joblib')"
    subprocess.run([sys.executable, "-c", script], check=True)
    words = ("model", "pack", "model.joblib", "--output", "packed")
    return Case(words, 2, r"Pack it with --code FILE\|PACKAGE", again(*words, "--code", "halving.py"))


@pytest.mark.parametrize("name", CASES)
def test_hint_works_when_it_is_followed(name: str, world: World) -> None:
    made = CASES[name](world)
    code, out, err = here(*made.fails)
    assert (code, out) == (made.code, ""), err
    found = re.search(made.message, err)
    assert found, err
    made.follow(*found.groups())
    for words in made.after:
        works(words)


# --- stores -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(first_pause=0.002))


@pytest.fixture
def in_bucket(world: World, s3: Bucket) -> Words:
    """The command that plans a public file in a bucket."""
    address, public = f"{s3.endpoint}/{s3.bucket}/a.csv", {"x-amz-acl": "public-read", "Content-Type": "text/csv"}
    urllib.request.urlopen(urllib.request.Request(address, world.file.read_bytes(), public, method="PUT")).close()
    return ("plan", "--model", world.bundle, "--input", s3.uri("a.csv"))


def fails(words: Words, message: str) -> None:
    code, _, err = here(*words)
    assert code == 5 and message in err, err


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("state", ["no bucket", "nobody"])
def test_hint_to_give_another_endpoint_works(
    s3: Bucket, in_bucket: Words, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    with proxy(s3.endpoint, lambda request: Answer(404, "NoSuchBucket")) as other:
        monkeypatch.setenv("AWS_ENDPOINT_URL", other.endpoint if state == "no bucket" else "http://127.0.0.1:9")
        fails(in_bucket, "--endpoint")
        works((*in_bucket, "--endpoint", s3.endpoint))


def test_hint_to_accept_requester_pays_works(s3: Bucket, in_bucket: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(request: Request) -> Fault:
        return None if "x-amz-request-payer" in request.headers else Answer(403, "AccessDenied", "Access Denied")

    with proxy(s3.endpoint, refuses) as paid:
        monkeypatch.setenv("AWS_ENDPOINT_URL", paid.endpoint)
        fails(in_bucket, "give --set spec.storage.requesterPays=true")
        works((*in_bucket, "--set", "spec.storage.requesterPays=true"))


def test_hint_to_leave_out_anonymous_works(s3: Bucket, in_bucket: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(request: Request) -> Fault:
        return None if "authorization" in request.headers else Answer(403, "AccessDenied", "Access Denied")

    with proxy(s3.endpoint, refuses) as private:
        monkeypatch.setenv("AWS_ENDPOINT_URL", private.endpoint)
        fails((*in_bucket, "--anonymous"), "leave out --anonymous")
        works(in_bucket)


def test_hints_of_missing_credentials_work(
    s3: Bucket, in_bucket: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            without.delenv(name)
        fails(in_bucket, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        fails(in_bucket, "--set spec.storage.profile")
        fails(in_bucket, "--anonymous")
        (tmp_path / "credentials").write_text("[mine]\naws_access_key_id = testing\naws_secret_access_key = testing\n")
        without.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        works((*in_bucket, "--set", "spec.storage.profile=mine"))
        works((*in_bucket, "--anonymous"))
    works(in_bucket)


def test_hint_to_name_a_region_works(s3: Bucket, in_bucket: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Answer(400, "AuthorizationHeaderMalformed", "the region is wrong", {"Region": "eu-west-1"})

    def refuses(request: Request) -> Fault:
        return None if "/eu-west-1/s3/" in request.headers.get("authorization", "") else wrong

    with proxy(s3.endpoint, refuses) as elsewhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere.endpoint)
        # botocore retries with the region in the answer, so the hint appears only if that is disabled.
        works(in_bucket)
        elsewhere.rule = lambda request: dataclasses.replace(wrong, elements={"Region": "mars"})
        fails(in_bucket, "Set AWS_REGION=mars")
        elsewhere.rule = refuses
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        works(in_bucket)


def test_hint_to_name_an_authority_works(
    s3: Bucket, in_bucket: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = certificate(tmp_path)
    with proxy(s3.endpoint, tls=context) as secure:
        monkeypatch.setenv("AWS_ENDPOINT_URL", secure.endpoint)
        fails(in_bucket, "with --set spec.storage.caBundle or AWS_CA_BUNDLE")
        works((*in_bucket, "--set", f"spec.storage.caBundle={authority}"))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
        works(in_bucket)


# --- memory -----------------------------------------------------------------------------------------------------------


def test_hint_to_give_more_memory_works(world: World) -> None:
    words = ("plan", "--model", world.bundle, "--input", world.file, "--memory")
    code, _, err = here(*words, "100MiB")
    found = re.search(r"Give --memory (\w+)", err)
    assert code == 0 and found
    code, _, err = here(*words, found[1])
    assert (code, err) == (0, "")


# --- locks ------------------------------------------------------------------------------------------------------------


def test_hint_to_wait_for_a_lock_works(world: World) -> None:
    lease = Lease.acquire(Store(str(world.out)))
    code, _, err = here(*world.words())
    assert code == 6 and "or score with --wait" in err
    with command(*(word for word in world.words() if word != "--quiet"), "--wait") as waiting:
        assert waiting.stderr is not None
        assert "waiting: " in waiting.stderr.readline()
        lease.release()
        waiting.communicate(timeout=120)
    assert waiting.returncode == 0


# --- all of the source ------------------------------------------------------------------------------------------------

FOREIGN = {
    "--local-directory",
    "--selector",
    "--host",
    "--protocol",
    "--port",
    "--dashboard-address",
    "--nthreads",
    "--no-dashboard",
    "--memory-limit",
    "--name",
    "--preload-nanny",
    "--from-literal",
}
"""Flags of kubectl and Dask in the source."""


def every_command(group: click.Group, path: str = "scoremill") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in [*group.list_commands(context), *(HIDDEN if group is app else ())]:
        found = group.get_command(context, name)
        assert found is not None
        yield f"{path} {name}", found
        if isinstance(found, click.Group):
            yield from every_command(found, f"{path} {name}")


def texts() -> Iterator[tuple[str, str]]:
    """Yield each string of the source with its place."""
    for path in sorted((ROOT / "src" / "scoremill").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.name}:{node.lineno}", node.value


def test_each_flag_in_the_source_exists() -> None:
    known = {"--help"} | FOREIGN
    for _, each in every_command(app):
        for option in each.params:
            known.update(getattr(option, "opts", ()), getattr(option, "secondary_opts", ()))
    unknown = {
        f"{place}: {flag}"
        for place, text in texts()
        for flag in re.findall(r"(?<![\w/-])--[a-z][a-z-]*[a-z]", text)
        if flag not in known
    }
    assert not unknown


def test_each_command_in_the_source_exists() -> None:
    known = {name for name, _ in every_command(app)}
    groups = {name for name, each in every_command(app) if isinstance(each, click.Group)}
    unknown = set()
    for place, text in texts():
        for named in re.findall(r"`(scoremill [a-z][a-z-]*(?: [a-z][a-z-]*)?)", text):
            words = named.split()
            first = " ".join(words[:2])
            if first not in known or (first in groups and len(words) > 2 and named not in known):
                unknown.add(f"{place}: {named}")
    assert not unknown
