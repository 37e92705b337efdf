"""Text from files cannot control the terminal that prints it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scoremill.bundle.schema import MANIFEST
from tests.support.cli import here
from tests.support.jobs import trip_bundle, trips

HOSTILE = "\x1b[2J\x1b]0;title\x07 \x9b31m \u202eabc\r hidden"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(trip_bundle(tmp_path_factory.mktemp("model")))


def acts(text: str) -> list[str]:
    return [one for one in text if not one.isprintable() and one not in "\n\t"]


def test_inspect_escapes_control_sequences_of_a_bundle(bundle, tmp_path):
    (tmp_path / "copy").mkdir()
    for path in bundle.iterdir():
        (tmp_path / "copy" / path.name).write_bytes(path.read_bytes())
    trained = json.loads((bundle / "trained.json").read_text())
    trained["data"] = f"{HOSTILE}\ndigest      sha256:forged"
    (tmp_path / "copy" / "trained.json").write_text(json.dumps(trained))
    code, out, err = here("model", "inspect", tmp_path / "copy")
    assert (code, acts(out + err)) == (0, [])
    assert r"\x1b[2J" in out
    assert len([line for line in out.splitlines() if line.startswith("digest ")]) == 1


@pytest.mark.parametrize(
    "document", ["{}", "[]", '{"formatVersion": 1}', '{"formatVersion": 1, "files": 3}', "nul\x1bl"]
)
def test_malformed_bundle_is_reported(bundle, tmp_path, document):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / MANIFEST).write_text(document)
    code, out, err = here("model", "inspect", tmp_path / "bundle")
    assert code in {3, 7}
    assert (out, acts(err)) == ("", [])
    assert f"bundle/{MANIFEST}" in err


def test_values_and_columns_of_the_input_are_printed_escaped(bundle, tmp_path):
    frame = trips(10).astype({"distance": object})
    frame.loc[3, "distance"] = HOSTILE
    frame = frame.rename(columns={"note": HOSTILE})
    frame.to_csv(tmp_path / "in.csv", index=False)
    flags = ("--model", bundle, "--input", tmp_path / "in.csv", "--max-error-fraction", "1")
    for words in (
        ("plan", *flags),
        ("score", *flags, "--output", tmp_path / "out", "--cluster", "in-process"),
        ("report", tmp_path / "out"),
        ("score", *flags, "--output", tmp_path / "other", "--cluster", "in-process", "--keep", "missing"),
    ):
        _, out, err = here(*words)
        assert acts(out + err) == []
