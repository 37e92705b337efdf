"""The command line: exit codes, messages with hints, JSON, and no tracebacks."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from scoremill.errors.registry import error_codes
from tests.support.cli import here
from tests.support.jobs import ROOT, command, run, trip_bundle, trips

ROWS = 300


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trips") / "a.csv"
    trips(ROWS).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def scored(bundle: str, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("scored") / "out"
    assert run(*flags(bundle, file, output), "--quiet")[0] == 0
    return output


def flags(bundle: object, file: object, output: object) -> list[object]:
    return ["score", "--cluster", "in-process", "--model", bundle, "--input", file, "--output", output]


def refused(code: int, *arguments: object, environment: dict[str, str] | None = None) -> str:
    """Return the stderr of a command that must exit with `code`, with an error and a hint but no traceback."""
    found, out, err = run(*arguments, environment=environment) if environment else here(*arguments)
    assert found == code, err
    assert "Traceback" not in err
    assert "defect" not in err
    assert re.match(r"error\[[A-Z]\w+\]: ", err), err
    assert out == ""
    return err


def test_exit_code_of_each_error_is_that_of_the_process(bundle, file, scored, tmp_path):
    trips(20).astype({"distance": "str"}).replace({"distance": {"2.04": "x"}}).to_csv(tmp_path / "bad.csv", index=False)
    (tmp_path / "file").write_text("")
    output = copied(scored, tmp_path)
    (output / "part-99999.parquet").write_text("surplus")
    for code, arguments in {
        0: ["verify", scored],
        2: ["score"],
        3: flags(bundle, tmp_path / "none.csv", tmp_path / "o"),
        4: [*flags(bundle, tmp_path / "bad.csv", tmp_path / "o4"), "--max-errors", 0],
        5: flags(bundle, file, tmp_path / "file" / "o"),
        6: [*flags(bundle, file, tmp_path / "o6"), "--cluster", "nonsense"],
        7: ["verify", output],
    }.items():
        found, out, err = run(*arguments)
        assert found == code, err
        assert "Traceback" not in err
        assert bool(out) == (code == 0)


# -- exit codes ------------------------------------------------------------------------------------------------------


def test_exit_0_of_score_prints_totals_as_text_or_json(bundle, file, tmp_path):
    code, out, err = run(*flags(bundle, file, tmp_path / "out"))
    assert (code, err) == (0, "")
    assert out.startswith(f"{ROWS} rows scored, 0 rejected, 1 partition, ")
    code, out, _ = run(*flags(bundle, file, tmp_path / "out"), "--json")
    totals = json.loads(out)["totals"]
    assert (code, totals["rows"], totals["scored"], totals["rejected"]) == (0, ROWS, ROWS, 0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["score"], "missing --model, --input, --output"),
        (["score", "--nonsense"], "no such option"),
        (["nonsense"], "no such command"),
        (["score", "nowhere.yaml"], 'no job file "nowhere.yaml"'),
        (["score", "--model", "{tmp}", "--input", "{file}", "--output", "{tmp}/o"], "is not a bundle"),
        (["score", "--model", "{tmp}/none", "--input", "{file}", "--output", "{tmp}/o"], "no such bundle"),
        (["score", "--model", "{bundle}", "--input", "{file}", "--output", "{tmp}/o", "--columns", "1"], "RESULT=NAME"),
        (
            ["score", "--model", "{bundle}", "--input", "{file}", "--output", "{tmp}/o", "--columns", "9=y"],
            "The results are: proba_0, proba_1",
        ),
        (
            [
                "score",
                "--model",
                "{bundle}",
                "--input",
                "{file}",
                "--output",
                "{tmp}/o",
                "--set",
                "spec.input.partitionBytes=1QiB",
            ],
            "is not a size",
        ),
        (
            [
                "score",
                "--model",
                "{bundle}",
                "--input",
                "{file}",
                "--output",
                "{tmp}/o",
                "--set",
                "spec.output.threshold=0.5",
            ],
            "two classes",
        ),
        (["score", "--model", "{bundle}", "--input", "foo://b/c", "--output", "{tmp}/o"], "foo://"),
        (["report", "{tmp}"], "is not an output"),
        (["verify", "{tmp}"], "is not an output"),
        (["clean", "{tmp}"], "is not an output"),
        (["compact", "{tmp}/none", "--rows-per-file", "1"], "no such output"),
        (["retry-rejected", "{tmp}/none"], "no such output"),
        (["scores"], 'no such command "scores"\nhint: Did you mean `scoremill score`?'),
        (["model", "pack", "{tmp}/none.joblib", "--output", "{tmp}/b"], "no model file"),
    ],
)
def test_exit_2_of_invalid_arguments_names_the_problem(bundle, file, tmp_path, arguments, expected):
    err = refused(2, *(each.format(bundle=bundle, file=file, tmp=tmp_path) for each in arguments))
    assert expected in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["verify", "{tmp}/none", "--json"], "OutputNotFound", "the run was given as --output"),
        (["verify", "{tmp}", "--josn"], None, ""),
        (["plan", "--nonsense", "--json"], "InvalidArgument", "plan --help`."),
        (["verify", "--json"], "MissingArgument", "verify --help`."),
        (["explain", "OutputExist", "--json"], "InvalidArgument", "The nearest is OutputExists."),
    ],
)
def test_json_errors_have_code_message_hint_and_exit_code(tmp_path, arguments, code, hint):
    found, out, err = here(*(each.format(tmp=tmp_path) for each in arguments))
    assert found == 2
    if code is None:
        assert out == ""
        return
    error = json.loads(out)["error"]
    assert (error["code"], error["exitCode"]) == (code, 2)
    assert hint in error["hint"]
    assert err.startswith(f"error[{code}]: {error['message']}\nhint: ")


def test_explain_prints_cause_example_and_fix():
    code, out, _ = here("explain", "OutputExists")
    assert (code, out.splitlines()[0]) == (0, "OutputExists (exit code 2)")
    assert "error[OutputExists]: " in out
    assert "--mode Resume" in out


def test_explain_without_a_code_lists_all_codes():
    _, out, _ = here("explain")
    assert {line.split()[0] for line in out.splitlines()[1:]} == set(error_codes())
    _, out, _ = here("explain", "--json")
    assert {each["code"] for each in json.loads(out)["codes"]} == set(error_codes())


JOBS: list[tuple[Any, str]] = [
    ("spec: [", "not YAML or JSON"),
    ("[]", "expected a mapping"),
    ({"spec": {"model": {"uri": "m"}, "input": {"uris": ["i"]}}}, "spec.output: this field is required"),
    ({"spec": {"modle": 1}}, "spec.modle: there is no such field"),
    ({"kind": "Job"}, "kind: "),
    ({"metadata": {"name": "No_Name"}}, "metadata.name: "),
]


@pytest.mark.parametrize(("content", "expected"), JOBS)
def test_exit_2_of_an_invalid_job_file_names_the_line(tmp_path, content, expected):
    path = tmp_path / "job.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    err = refused(2, "score", path)
    assert expected in err
    assert "job.yaml" in err


def test_exit_3_of_a_missing_column_names_file_and_column_before_anything_is_written(bundle, tmp_path):
    for number in range(3):
        trips(9).rename(columns={"payment": "Payment"}).to_csv(tmp_path / f"{number}.csv", index=False)
    for verb in ("score", "plan"):
        arguments = flags(bundle, f"{tmp_path}/*.csv", tmp_path / "out")[3:]
        code, _, err = here(verb, *arguments)
        assert code == 3
        assert err.count('"payment"') == 1
        assert '0.csv and 2 more: the model reads a column that the file does not have: "payment"' in err
        assert "--rename Payment=payment" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none.csv", None, "nothing is found"),
        ("a.csv.gz", gzip.compress(b"distance,payment,passengers\n1,cash,1\n", mtime=0)[:-9], "truncated or damaged"),
        ("a.parquet", b"no parquet", "is not a Parquet file"),
        ("a.csv", b"\xff\xfe\x00", "UTF-16"),
        ("a.csv", b"\x80\x81,b\n", "not utf-8"),
    ],
)
def test_exit_3_of_an_unreadable_input_names_the_problem(bundle, tmp_path, name, content, expected):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert expected in refused(3, *flags(bundle, tmp_path / name, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_exit_4_run_resumes_with_a_larger_reject_limit(bundle, tmp_path):
    frame = trips(200).astype({"distance": "object"})
    frame.loc[:9, "distance"] = "x"
    frame.to_csv(tmp_path / "a.csv", index=False)
    err = refused(4, *flags(bundle, tmp_path / "a.csv", tmp_path / "out"), "--max-errors", "5", "--quiet")
    assert "--max-errors" in err
    code, out, err = here(
        *flags(bundle, tmp_path / "a.csv", tmp_path / "out"), "--max-error-fraction", "0.1", "--quiet"
    )
    assert code == 0, err
    assert "190 rows scored, 10 rejected" in out
    assert "/_errors/" in out
    refused(4, *flags(bundle, tmp_path / "a.csv", tmp_path / "other"), "--on-row-error", "Fail", "--quiet")


def test_exit_5_of_a_store_that_denies_access(bundle, file, tmp_path, s3):
    (tmp_path / "file").write_text("")
    assert "file" in refused(5, *flags(bundle, file, tmp_path / "file" / "out"))
    for arguments in (
        flags(bundle, "s3://no-such-bucket/a.csv", tmp_path / "out"),
        flags(bundle, file, "s3://no-such-bucket/out"),
    ):
        assert "no-such-bucket" in refused(5, *arguments, environment=s3.environment)


def test_exit_6_of_a_missing_scheduler_or_a_held_lease(bundle, file, tmp_path):
    err = refused(6, "score", "--cluster", "nonsense", *flags(bundle, file, tmp_path / "a")[3:])
    assert "KUBECONFIG" in err
    from scoremill.ledger import Lease
    from scoremill.storage.filesystem import Store

    lease = Lease.acquire(Store(str(tmp_path / "b")))
    try:
        err = refused(6, *flags(bundle, file, tmp_path / "b"))
    finally:
        lease.release()
    assert f"process {os.getpid()} on " in err
    assert "--wait" in err


def tampered(output: Path, name: str, content: bytes | None) -> None:
    path = next(output.glob(name)) if content is None or "*" in name else output / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("part-*", None, "missing: part-"),
        ("part-*", b"other", "altered: part-"),
        ("part-99999.parquet", b"more", "surplus: part-99999.parquet"),
        ("_SUCCESS", None, "not complete"),
        ("_scoremill/manifest.json", b"{", "manifest.json is damaged"),
        ("_scoremill/manifest.json", b"[]", "manifest.json is damaged"),
        ("_scoremill/manifest/*", None, "is missing"),
        ("_scoremill/manifest/*", b"other", "is not what the manifest says"),
    ],
)
def test_exit_7_of_verify_names_what_was_altered(scored, tmp_path, name, content, expected):
    output = copied(scored, tmp_path)
    tampered(output, name, content)
    assert expected in refused(7, "verify", output)


@pytest.mark.parametrize("name", ["_scoremill/manifest.json", "_scoremill/manifest/*", "part-*"])
def test_lost_objects_are_written_again_by_the_same_command(bundle, file, tmp_path, name):
    arguments = [*flags(bundle, file, tmp_path / "out"), "--quiet"]
    assert here(*arguments)[0] == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("part-*")}
    tampered(tmp_path / "out", name, None)
    if name.endswith("/*"):
        tampered(tmp_path / "out", "_scoremill/manifest.json", None)
    assert here(*arguments)[0] == 0
    assert here("verify", tmp_path / "out")[0] == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("part-*")} == before


@pytest.mark.parametrize("name", ["job.json", "plan/000000.parquet", "receipts/*"])
def test_exit_7_of_a_damaged_ledger_names_it(bundle, file, scored, tmp_path, name):
    output = copied(scored, tmp_path)
    tampered(output, f"_scoremill/{name}", b"{")
    assert "damaged" in refused(7, *flags(bundle, file, output), "--quiet")


def copied(output: Path, folder: Path) -> Path:
    import shutil

    return Path(shutil.copytree(output, folder / "out"))


def test_exit_130_of_an_interrupted_run_says_how_to_resume(bundle, tmp_path):
    trips(60_000).to_csv(tmp_path / "a.csv", index=False)
    arguments = [*flags(bundle, tmp_path / "a.csv", tmp_path / "out"), "--set", "spec.input.partitionBytes=4KiB"]
    driver = command(*arguments)
    while not list((tmp_path / "out").glob("part-*")):
        assert driver.poll() is None
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert "run the same command again to resume" in err
    assert "Traceback" not in err


# -- JSON ----------------------------------------------------------------------------------------------------------------


def documented(command: str) -> set[str]:
    """Return the keys that docs/reference/json.md documents for a command."""
    page = (ROOT / "docs" / "reference" / "json.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("|") and f"`scoremill {command}`" in line]
    return {"version", *re.findall(r"`(\w+)`", row.split("|")[2].partition(";")[0])}


def test_json_is_one_document_with_the_documented_keys(bundle, file, scored, tmp_path):
    for name, *arguments in (
        ["score", *flags(bundle, file, scored)[1:]],
        ["verify", scored],
        ["report", scored],
        ["plan", *flags(bundle, file, scored)[3:]],
        ["compact", scored, "--to", tmp_path / "compact", "--rows-per-file", 10],
        ["clean", scored],
        ["doctor"],
        ["model inspect", bundle],
        ["model verify", bundle],
    ):
        code, out, err = here(*name.split(), *arguments, "--json")
        assert code == 0, err
        found = json.loads(out)
        assert (found["version"], set(found)) == (1, documented(name)), name


def test_json_of_plan_has_the_problems(bundle, tmp_path):
    (tmp_path / "a.csv").write_text("distance,payment\n1,cash\n")
    code, out, _ = here("plan", "--model", bundle, "--input", tmp_path / "a.csv", "--json")
    (problem,) = json.loads(out)["problems"]
    assert (code, problem["severity"]) == (3, "error")
    assert '"passengers"' in problem["message"]


def test_plan_lists_unused_columns_and_columns_at_other_positions(bundle, tmp_path):
    trips(20).to_csv(tmp_path / "a.csv", index=False)
    trips(20)[["passengers", "payment", "id", "distance"]].to_csv(tmp_path / "b.csv", index=False)
    code, out, _ = here("plan", "--model", bundle, "--input", tmp_path / "*.csv", "--keep", "id")
    assert (code, "not read    note\n" in out, "in 1 of 2 sampled objects" in out) == (0, True, True)
    _, out, _ = here("plan", "--model", bundle, "--input", tmp_path / "*.csv", "--json")
    assert json.loads(out)["match"] == {
        "surplus": ["id", "note"],
        "reordered": [str(tmp_path / "b.csv")],
        "renamed": {},
    }


def test_plan_warns_if_workers_have_too_little_memory_for_a_batch(bundle, tmp_path):
    frame = trips(3000)
    frame.assign(payment="x" * 2_000).to_csv(tmp_path / "a.csv", index=False)
    words = ["plan", "--model", bundle, "--input", tmp_path / "a.csv"]
    code, _, err = here(*words, "--memory", "300MiB")
    assert (code, "a worker will probably need" in err, "--set spec.model.batchRows" in err) == (0, True, True)
    assert "will probably need" not in here(*words, "--memory", "4GiB")[2]


def test_inspect_prints_all_metadata_of_a_bundle(bundle):
    _, out, _ = here("model", "inspect", bundle)
    for line in ("  predict_proba: proba_0, proba_1", "  predict: prediction", "known to --keep: id, note"):
        assert line in out


def test_plan_prints_partitions_rows_seconds_and_memory(bundle, file):
    code, out, err = here("plan", "--model", bundle, "--input", file, "--set", "spec.input.partitionBytes=1KiB")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert {"model", "input", "partitions", "columns", "time", "memory"} <= lines.keys()
    assert "1 object," in lines["input"]
    assert re.search(rf"about .* with \d+ process(es)?, of which .* start-up; measured on {ROWS} rows", lines["time"])


def test_preview_with_an_output_says_that_nothing_is_written(bundle, file, tmp_path):
    code, out, err = here(*flags(bundle, file, tmp_path / "out"), "--limit", "1")
    assert (code, len(out.splitlines())) == (0, 2)
    assert err == f"note: --limit only prints rows; nothing is written to {tmp_path / 'out'}\n"
    assert not (tmp_path / "out").exists()


def test_clean_reports_that_there_is_nothing_to_remove(scored, tmp_path):
    output = copied(scored, tmp_path)
    assert here("clean", output)[:2] == (0, "nothing to remove\n")
    (output / "part-00000-0123456789abcdef.parquet").write_bytes(bytes(2048))
    assert here("clean", output)[1].endswith("1 object, 2 KiB can be removed: run the same command with --yes\n")
    assert here("clean", output, "--yes")[1].endswith("removed 1 object, 2 KiB\n")
    assert here("verify", output)[0] == 0


def test_preview_prints_rows_to_stdout_and_writes_nothing(bundle, file, tmp_path):
    code, out, err = here("score", "--model", bundle, "--input", file, "--limit", "3", "--keep", "id")
    assert (code, err) == (0, "")
    assert pd.read_csv(io.StringIO(out))["id"].tolist() == [0, 1, 2]
    _, out, _ = here("score", "--model", bundle, "--input", file, "--limit", "2", "--json")
    assert [set(json.loads(line)) for line in out.splitlines()] == [{"proba_0", "proba_1"}] * 2


def test_fields_without_effect_are_reported(bundle, file, tmp_path):
    (tmp_path / "job.yaml").write_text("spec: {suspend: true}")
    code, _, err = here("score", tmp_path / "job.yaml", *flags(bundle, file, tmp_path / "out")[1:])
    assert (code, "note: spec.suspend is for ScoringJobs on Kubernetes" in err) == (0, True)


def test_closed_stdout_is_not_an_error(bundle, tmp_path):
    trips(30_000).to_csv(tmp_path / "a.csv", index=False)
    driver = command("score", "--model", bundle, "--input", tmp_path / "a.csv", "--limit", "30000", "--keep", "*")
    assert driver.stdout is not None and driver.stderr is not None
    driver.stdout.readline()
    driver.stdout.close()
    err = driver.stderr.read()
    assert (driver.wait(60), err) == (0, "")


# -- safeguards --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["score", "--help"], ["model", "pack", "--help"]])
def test_help_does_not_import_heavy_libraries(arguments):
    heavy = {"dask", "distributed", "pandas", "numpy", "sklearn", "pyarrow", "fsspec", "kubernetes"}
    program = (
        "import sys\nfrom scoremill.cli.app import app\n"
        f"app.main({arguments!r}, standalone_mode=False)\nprint(sorted({heavy!r} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "storage",
    [
        {"secretKey": SECRET},
        {"options": {"token": SECRET}},
        {"options": {"secret": SECRET}},
        {"aws_secret_access_key": SECRET},
    ],
)
def test_secret_in_a_job_is_refused_without_being_printed(tmp_path, storage):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump({"spec": {"storage": storage}}))
    assert SECRET not in refused(2, "score", path)


def test_credentials_are_not_in_any_output(bundle, file, s3, tmp_path, monkeypatch):
    environment = s3.environment | {"AWS_ACCESS_KEY_ID": "AKIAHUNTER2HUNTER2", "AWS_SECRET_ACCESS_KEY": SECRET}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, out, err = run(*flags(bundle, file, s3.uri("out")), environment=environment)
    assert code == 0, err
    texts = [out, err]
    for arguments in (
        ["verify", s3.uri("out"), "--json"],
        ["report", s3.uri("out"), "--json"],
        flags(bundle, s3.uri("nothing/*.csv"), tmp_path / "out"),
        flags(bundle, "s3://no-such-bucket/a.csv", tmp_path / "out"),
    ):
        _, out, err = here(*arguments)
        texts += [out, err]
    from scoremill.storage.filesystem import Store

    store = Store(s3.uri("out"))
    texts += [store.read(info.name).decode(errors="replace") for info in store.list()]
    assert len(texts) > 12
    assert not [text for text in texts if SECRET in text or "AKIAHUNTER2" in text]


def test_pack_reads_a_csv_sample_with_the_flags_of_score(tmp_path):
    frame = pd.DataFrame({"zip": ["02134", "94103"] * 5, "fare": np.arange(10) / 4})
    prefix = FunctionTransformer(lambda rows: rows.assign(zip=rows["zip"].str[:1].astype(float)))
    model = make_pipeline(prefix, LinearRegression()).fit(frame, frame["fare"])
    cloudpickle.dump(model, (tmp_path / "m.pkl").open("wb"))
    frame.to_csv(tmp_path / "sample.csv", sep=";", decimal=",", index=False)
    arguments = [
        "model",
        "pack",
        tmp_path / "m.pkl",
        "--output",
        tmp_path / "b",
        "--sample",
        tmp_path / "sample.csv",
        "--delimiter",
        ";",
        "--set",
        "spec.input.csv.decimal=,",
    ]
    assert "--dtypes zip=string" in refused(3, *arguments)
    code, out, err = here(*arguments, "--dtypes", "zip=string")
    assert code == 0, err
    assert "zip: string\n" in out
    code, out, err = here(
        "score",
        "--model",
        tmp_path / "b",
        "--input",
        tmp_path / "sample.csv",
        "--delimiter",
        ";",
        "--set",
        "spec.input.csv.decimal=,",
        "--limit",
        "3",
    )
    assert code == 0, err


def test_inspect_shows_null_values_that_are_text_in_a_column(tmp_path):
    frame = pd.DataFrame({"country": ["NA", "DE"] * 5})
    joblib.dump(OneHotEncoder().fit(frame), tmp_path / "m.joblib")
    frame.to_csv(tmp_path / "sample.csv", index=False)
    packing = here(
        "model", "pack", tmp_path / "m.joblib", "--output", tmp_path / "b", "--sample", tmp_path / "sample.csv"
    )
    assert (packing[0], packing[2]) == (0, "")
    assert 'country: string (text includes "NA")\n' in here("model", "inspect", tmp_path / "b")[1]


def test_flags_in_a_gap_of_pack_work(tmp_path):
    frame = pd.DataFrame({"country": ["", "DE", None] * 5, "fare": np.arange(15) / 4})
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["country"])), LinearRegression())
    joblib.dump(model.fit(frame, frame["fare"]), tmp_path / "m.joblib")
    frame.to_parquet(tmp_path / "sample.parquet")
    frame.to_csv(tmp_path / "in.csv", index=False, na_rep="NA")
    packing = here(
        "model", "pack", tmp_path / "m.joblib", "--output", tmp_path / "b", "--sample", tmp_path / "sample.parquet"
    )
    assert packing[0] == 0 and 'warning: column "country": CSV input reads the text "" as missing' in packing[2]
    assert 'CSV input reads the text ""' in here("model", "inspect", tmp_path / "b")[1]
    scoring = ["score", "--model", tmp_path / "b", "--input", tmp_path / "in.csv", "--cluster", "in-process"]
    printed = refused(3, *scoring, "--output", tmp_path / "out")
    (flags,) = re.findall(r"(--set .*)\.$", printed, re.MULTILINE)
    code, _, err = here(*scoring, "--output", tmp_path / "out", *shlex.split(flags))
    assert code == 0, err
    (part,) = (tmp_path / "out").glob("part-*")
    assert pd.read_parquet(part)["prediction"].tolist() == model.predict(frame).tolist()


def test_missing_value_form_in_an_error_of_pack_works(tmp_path):
    cells = np.array(["a", None, np.nan] * 5, object)
    frame = pd.DataFrame({"c": pd.Series(cells, dtype=object), "n": np.arange(15.0)})
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["c"])), LinearRegression())
    joblib.dump(model.fit(frame, frame["n"]), tmp_path / "m.joblib")
    frame.to_parquet(tmp_path / "sample.parquet")
    arguments = [
        "model",
        "pack",
        tmp_path / "m.joblib",
        "--output",
        tmp_path / "b",
        "--sample",
        tmp_path / "sample.parquet",
    ]
    assert "--missing c=None" in refused(3, *arguments)
    code, out, err = here(*arguments, "--missing", "c=None")
    assert code == 0, err
    assert "c: object (missing values are None)" in out
