"""`make check` finds words and forms that STYLE.md excludes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLANTED = {
    "a word in a page": ("page.md", "The run is begun again.\n", "begun ==> started"),
    "a misspelled word": ("page.md", "The seperate run.\n", "seperate ==> separate"),
    "a word in the name of a test": ("test_runs.py", "def test_a_run_is_begun() -> None: ...\n", "begun ==> started"),
    "a phrase in a comment": ("runs.py", "# The run goes on.\n", "goes on ==> continues"),
    "a phrase in the name of a test": (
        "test_runs.py",
        "def test_a_run_goes_on() -> None: ...\n",
        "goes on ==> continues",
    ),
    "a docstring of one word": ("runs.py", '"""Attempts."""\n', "==> a sentence or a noun phrase"),
    "a description of one word": ("crd.yaml", "description: Attempts.\n", "==> a sentence or a noun phrase"),
    "help of two sentences": (
        "docs/reference/cli.md",
        "  --wait          Wait for the end. It can take hours. Defaults to no.\n",
        "Wait for the end. It can take hours. ==> one sentence",
    ),
    "help of more than one line": (
        "docs/reference/cli.md",
        f"  --wait\n{' ' * 20}Wait for the end{' and for the end' * 5}.\n",
        "==> one sentence of at most 90 characters",
    ),
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a clean file."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "README.md").write_text("The run is started.\n")
    return tmp_path


def check(folder: Path, unclean: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "pyproject.toml").write_text(f"[tool.words]\nunclean = [{unclean}]\n")
    return subprocess.run([sys.executable, ROOT / "docs" / "words.py"], cwd=folder, capture_output=True, text=True)


def plant(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.mark.parametrize("what", PLANTED)
def test_excluded_word_or_form_is_found_with_its_place_and_replacement(repository: Path, what: str) -> None:
    assert (check(repository).returncode, check(repository).stderr) == (0, "")
    name, text, expected = PLANTED[what]
    plant(repository, name, text)
    found = check(repository)
    assert found.returncode == 1
    assert f"{name}:1: " in found.stderr
    assert expected in found.stderr


def test_default_and_repetition_can_follow_the_sentence_of_a_help_line(repository: Path) -> None:
    help_line = "  --wait          Wait for the end. Can be given several times. Defaults to no.\n"
    plant(repository, "docs/reference/cli.md", help_line)
    assert check(repository).stderr == ""


def test_listed_folder_can_have_findings_until_it_is_clean(repository: Path) -> None:
    plant(repository, "src/runs.py", "# begun\n")
    assert check(repository, '"src"').returncode == 0
    plant(repository, "src/runs.py", "# started\n")
    assert check(repository, '"src"').stderr == "src is clean: remove it from tool.words.unclean in pyproject.toml\n"


def test_listed_folder_does_not_cover_one_with_a_longer_name(repository: Path) -> None:
    plant(repository, "src/runs.py", "# begun\n")
    plant(repository, "src-more/runs.py", "# begun\n")
    assert "src-more/runs.py:1: begun" in check(repository, '"src"').stderr


def test_check_of_words_is_part_of_make_check() -> None:
    dry_run = subprocess.run(["make", "--dry-run", "check"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "docs/words.py" in dry_run.stdout
