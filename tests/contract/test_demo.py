"""`scoremill demo`: every command that it prints runs, and what it leaves is complete."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pandas as pd
import pytest

import scoremill
from tests.support.cli import here
from tests.support.jobs import ROOT, run


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo") / "new"
    code, out, err = run("demo", "--folder", folder)
    assert code == 0, err
    return folder, out


def test_demo_scores_every_row_but_the_unreadable_one(demo: tuple[Path, str]) -> None:
    output = demo[0] / "predictions"
    assert scoremill.verify(output).totals.rows == 60_000
    assert len(pd.read_parquet(output)) == 59_999
    assert scoremill.rejected(str(output))["raw"].str.contains("three miles").tolist() == [True]


def test_demo_prints_each_command_before_it_runs(demo: tuple[Path, str]) -> None:
    folder, out = demo
    commands = [line.removeprefix("$ ") for line in out.splitlines() if line.startswith("$ ")]
    assert commands[0] == f"cd {folder}"
    assert [shlex.split(command)[:3] for command in commands[1:]] == [
        ["python", "generate.py"],
        ["python", "train.py"],
        ["scoremill", "model", "pack"],
        ["scoremill", "score", "--model"],
        ["scoremill", "verify", "predictions"],
        ["scoremill", "report", "predictions"],
    ]
    assert out.index("$ scoremill verify predictions") < out.index("complete and unaltered")


def test_demo_names_commands_to_try_next_that_work(demo: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = demo
    monkeypatch.chdir(folder)
    shown = out.partition("Try next:")[2].splitlines()
    commands = [shlex.split(line) for line in shown if line.strip().startswith(("scoremill", "python"))]
    assert len(commands) == 4
    for program, *arguments in commands:
        if program == "scoremill":
            code, _, err = here(*arguments)
            assert code == 0, err
        else:
            exec(arguments[1], {})


def test_demo_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    code, _, err = here("demo", "--folder", tmp_path)
    assert code == 2
    assert "error[FileExists]" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_no_module_imports_the_scripts_of_the_demo() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        assert not [node for node in imports if "demo" in (node.module or "").split(".")], path
