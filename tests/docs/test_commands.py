"""Commands on the pages run as written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PROSE, ROOT, script

RUN = [page for page in PROSE if page.exists() and script(page)]


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment of a reader who has installed scoremill and is in a clone."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, words in {"python": "", "scoremill": " -m scoremill"}.items():
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable}{words} "$@"\n')
        (commands / name).chmod(0o755)
    return os.environ | {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


@pytest.mark.timeout(600)  # a page starts a dozen processes
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_commands_on_the_page_run(page: Path, tmp_path: Path, shell: dict[str, str]) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(["bash", "-c", script(page)], cwd=here, env=shell, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_readme_has_commands_that_run() -> None:
    assert ROOT / "README.md" in RUN
