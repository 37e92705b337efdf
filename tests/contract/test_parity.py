"""`scoremill score --parity N` scores rows of the run with the original model as well, and fails if a result differs."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import scoremill
from scoremill.bundle import inspect
from scoremill.engines.protocol import InProcess, Result
from scoremill.errors import ParityError
from scoremill.execute.coordinator.run import execute
from scoremill.ledger import Ledger, read_manifest
from scoremill.spec import ScoringJob, Storage
from scoremill.storage.filesystem import Store
from tests.support.cli import here
from tests.support.engines import LastFirst
from tests.support.jobs import make_job, objects, run, stored

ROWS = 20_000


def rows(rare: int = 0) -> pd.DataFrame:
    """`rare` of the rows, the last ones, have a vendor that packing does not see."""
    random = np.random.default_rng(rare)
    vendors = random.choice(["CMT", "VTS", "DDS"], ROWS)
    vendors[ROWS - rare :] = "XYZ"
    return pd.DataFrame({"vendor": vendors, "fare": random.gamma(2.0, 5.0, ROWS).round(2)})


def count_rare(texts: pd.DataFrame) -> np.ndarray:
    """A feature of each row that depends on the other rows once a vendor is "XYZ"."""
    deadline = time.thread_time() + 2e-6 * len(texts)
    while time.thread_time() < deadline:
        pass  # so that fewer rows take less time
    return ((texts["vendor"] == "CMT") * (1.0 + (texts["vendor"] == "XYZ").sum())).to_numpy()[:, None]


count_rare.__module__ = "__main__"  # so that it is packed by value


def packed(folder: Path, step: object) -> str:
    train = rows()
    features = make_column_transformer((step, ["vendor"]), (StandardScaler(), ["fare"]))
    model = make_pipeline(features, LinearRegression()).fit(train, train["fare"] + (train["vendor"] == "CMT"))
    return scoremill.pack(model, folder, sample=train.head(500)).uri


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return packed(tmp_path_factory.mktemp("right") / "bundle", OneHotEncoder(handle_unknown="ignore"))


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bundle with a step that packing takes for independent of other rows."""
    uri = packed(tmp_path_factory.mktemp("wrong") / "bundle", FunctionTransformer(count_rare))
    assert inspect(uri, Storage()).steps["columntransformer__functiontransformer"] == ""
    return uri


def words(bundle: str, folder: Path, frame: pd.DataFrame, output: str = "out") -> list[str]:
    """A command that scores the frame in about ten partitions of three batches."""
    if not (folder / "in.csv").exists():
        frame.to_csv(folder / "in.csv", index=False)
    settings = ["--set", "spec.input.partitionBytes=20KiB", "--set", "spec.model.batchRows=700"]
    return [
        *("score", "--model", bundle, "--input", str(folder / "in.csv"), "--output", str(folder / output)),
        *(*settings, "--cluster", "in-process"),
    ]


def parity(output: Path) -> dict[str, int]:
    manifest = read_manifest(Store(str(output)))
    assert manifest is not None
    return manifest.fields["parity"]


def compared(output: Path) -> dict[int, int]:
    return {receipt.number: receipt.compared for receipt in Ledger(Store(str(output))).receipts()}


def test_manifest_and_report_count_the_rows_that_were_compared(bundle, tmp_path):
    command = words(bundle, tmp_path, rows())
    code, out, err = here(*command, "--parity", "5000", "--json")
    assert code == 0, err
    found = parity(tmp_path / "out")
    assert found["different"] == 0
    assert 5000 <= found["rows"] < ROWS // 2
    assert json.loads(out)["parity"] == found
    assert json.loads(here("report", str(tmp_path / "out"), "--json")[1])["parity"] == found
    text = f"{found['rows']:,} rows scored by the original model as well, with equal results"
    assert text in here("report", str(tmp_path / "out"))[1]
    assert sum(rows > 0 for rows in compared(tmp_path / "out").values()) > 2


def test_a_local_cluster_compares_the_same_rows_and_writes_the_same_bytes(bundle, tmp_path):
    command = words(bundle, tmp_path, rows())
    assert here(*command, "--parity", "3000")[0] == 0
    apart = [word.replace(str(tmp_path / "out"), str(tmp_path / "apart")) for word in command[:-1]]
    code, _, err = run(*apart, "local", "--workers", "2", "--parity", "3000")
    assert code == 0, err
    assert compared(tmp_path / "apart") == compared(tmp_path / "out")
    assert here(*words(bundle, tmp_path, rows(), "without"))[0] == 0
    assert parity(tmp_path / "without") == {"rows": 0, "different": 0}
    assert objects(str(tmp_path / "apart")) == objects(str(tmp_path / "out")) == objects(str(tmp_path / "without"))


@pytest.mark.parametrize("asked", [ROWS, 10 * ROWS])
def test_all_rows_are_compared_if_the_input_has_no_more(bundle, tmp_path, asked):
    assert here(*words(bundle, tmp_path, rows()), "--parity", asked)[0] == 0
    assert parity(tmp_path / "out") == {"rows": ROWS, "different": 0}
    assert all(receipt.starts == 1 for receipt in Ledger(Store(str(tmp_path / "out"))).receipts())


def test_partitions_are_scored_again_if_a_condition_leaves_too_few_rows(bundle, tmp_path):
    command = words(bundle, tmp_path, rows())
    assert here(*command, "--where", "fare > 15", "--parity", "2000")[0] == 0
    before = objects(str(tmp_path / "out"))
    assert 2000 <= parity(tmp_path / "out")["rows"] < 6000
    assert here("verify", str(tmp_path / "out"))[0] == 0
    assert here(*words(bundle, tmp_path, rows(), "without"), "--where", "fare > 15")[0] == 0
    assert objects(str(tmp_path / "without")) == before


class Interrupted(InProcess):
    """Ends the run after four partitions."""

    left = 4

    def take(self, timeout: float) -> Result | None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().take(timeout)


def job(bundle: str, folder: Path, parity_rows: int) -> ScoringJob:
    if not (folder / "in.csv").exists():
        rows().to_csv(folder / "in.csv", index=False)
    model = {"parityRows": parity_rows, "batchRows": 700}
    source = {"partitionBytes": "20KiB"}
    return make_job(bundle, str(folder / "in.csv"), str(folder / "out"), model=model, input=source)


@pytest.mark.parametrize(("first", "then"), [(5000, 5000), (0, ROWS), (ROWS, 0), (ROWS, 9000)])
def test_a_resumed_run_adds_up_what_each_run_compared(bundle, tmp_path, first, then):
    with pytest.raises(KeyboardInterrupt):
        execute(job(bundle, tmp_path, first), Interrupted())
    done = compared(tmp_path / "out")
    assert len(done) == 4
    execute(job(bundle, tmp_path, then), InProcess())
    whole = compared(tmp_path / "out")
    assert parity(tmp_path / "out")["rows"] == sum(whole.values()) >= max(then, sum(done.values()))
    assert then == ROWS or whole == {**whole, **done}


def test_the_choice_of_rows_does_not_depend_on_an_interruption(bundle, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        execute(job(bundle, tmp_path, 5000), Interrupted())
    execute(job(bundle, tmp_path, 5000), InProcess())
    (tmp_path / "whole").mkdir()
    execute(job(bundle, tmp_path / "whole", 5000), LastFirst())
    assert compared(tmp_path / "whole/out") == compared(tmp_path / "out")


def test_a_receipt_without_the_number_of_compared_rows_is_read(bundle, tmp_path):
    execute(job(bundle, tmp_path, 0), InProcess())
    receipt = next(Ledger(Store(str(tmp_path / "out"))).receipts())
    fields = json.loads(receipt.to_json())
    del fields["compared"]
    assert type(receipt).from_json(fields) == receipt


def test_a_step_that_depends_on_other_rows_fails_the_run_and_the_hint_works(wrong, tmp_path):
    rows(rare=3000).to_csv(tmp_path / "in.csv", index=False)
    command = ["score", "--model", wrong, "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out")]
    command += ["--cluster", "in-process", "--parity", "1"]
    code, _, err = here(*command)
    assert code == 3
    assert f"error[ParityFailed]: batch 0 of partition 0 ({tmp_path}/in.csv, bytes 0 to " in err
    assert "the accelerated model gives other results than the original model in prediction" in err
    assert objects(str(tmp_path / "out")) == {}
    assert "hint: Give --accelerate Off and --mode Overwrite," in err
    code, _, err = here(*command, "--accelerate", "Off", "--mode", "Overwrite")
    assert code == 0, err
    assert "--parity has no effect: no step of the model is accelerated" in err
    model = scoremill.bundle.load_model(wrong, inspect(wrong, Storage()).digest, Storage())
    assert stored(str(tmp_path / "out"))["prediction"].tolist() == model.estimator.predict(rows(rare=3000)).tolist()


def test_the_hint_works_in_a_job_file(wrong, tmp_path):
    rows(rare=3000).to_csv(tmp_path / "in.csv", index=False)
    file = tmp_path / "job.yaml"
    text = f"spec:\n  model: {{uri: {wrong}, parityRows: 1}}\n  input: {{uris: [{tmp_path}/in.csv]}}\n"
    file.write_text(f"{text}  output: {{uri: {tmp_path}/out}}\n")
    code, _, err = here("score", str(file), "--cluster", "in-process")
    assert code == 3
    assert 'Give `spec.model.accelerate: "Off"` and `spec.output.mode: Overwrite`' in err
    text = text.replace("parityRows: 1", 'parityRows: 1, accelerate: "Off"')
    file.write_text(f"{text}  output: {{uri: {tmp_path}/out, mode: Overwrite}}\n")
    code, _, err = here("score", str(file), "--cluster", "in-process")
    assert code == 0, err


def test_a_worker_process_reports_the_difference(wrong, tmp_path):
    rows(rare=3000).to_csv(tmp_path / "in.csv", index=False)
    model, source = {"parityRows": 1}, {"uris": [str(tmp_path / "in.csv")]}
    job = make_job(wrong, source["uris"], str(tmp_path / "out"), model=model)
    with pytest.raises(ParityError, match="accelerated model"):
        scoremill.score(job, cluster="local")


def test_a_model_without_accelerated_steps_is_scored_with_a_note(tmp_path):
    frame = rows()[["fare"]]
    model = make_pipeline(FunctionTransformer(np.cumsum), LinearRegression()).fit(frame, frame["fare"])
    uri = scoremill.pack(model, tmp_path / "bundle", sample=frame.head(500), allow_batch_dependent=True).uri
    assert all(inspect(uri, Storage()).steps.values())
    code, _, err = here(*words(uri, tmp_path, frame), "--parity", "10")
    assert code == 0, err
    assert "--parity has no effect: no step of the model is accelerated" in err
    assert parity(tmp_path / "out") == {"rows": 0, "different": 0}


def test_partitions_with_rejected_rows_and_stray_quotes_are_scored_again_for_the_same_bytes(bundle, tmp_path):
    frame = rows().astype({"fare": "str"})
    frame.loc[::400, "fare"] = "x"
    frame.loc[12_000, "vendor"] = 'CM"T'
    text = frame.to_csv(index=False, quoting=csv.QUOTE_NONE)
    (tmp_path / "in.csv").write_text(text)
    with pytest.raises(KeyboardInterrupt):
        execute(job(bundle, tmp_path, 0), Interrupted())
    manifest = execute(job(bundle, tmp_path, ROWS), InProcess())
    assert manifest.totals.rejected == ROWS // 400
    assert manifest.totals.scored == parity(tmp_path / "out")["rows"] == ROWS - ROWS // 400
    assert here("verify", str(tmp_path / "out"))[0] == 0
    assert here(*words(bundle, tmp_path, frame, "without"))[0] == 0
    assert objects(str(tmp_path / "without")) == objects(str(tmp_path / "out"))
