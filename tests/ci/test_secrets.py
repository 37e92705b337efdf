"""`make check` finds credentials in files that could be committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Split in two, so that the scan of this repository does not find them.
PLANTED = {
    "AWS access key": "AKIA" + "Q3EXAMPLE5TUVWX7",
    "AWS secret key": "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzzzz",
    "private key": "-----BEGIN " + "PRIVATE KEY-----",
    "RSA private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "GitHub token": "ghp_" + "a1B2" * 9,
    "Google API key": "AIza" + "Sy0123456789" * 3,
    "token of a session": "eyJhbGciOiJIUzI1NiJ9x." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.x",
}


def scan(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / ".ci" / "secrets"], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a file that is not committed yet."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "settings.py").write_text("PASSWORD = None\n")
    return tmp_path


@pytest.mark.parametrize("name", PLANTED)
def test_scan_finds_a_credential_without_printing_it(repository: Path, name: str) -> None:
    assert scan(repository).returncode == 0
    (repository / "settings.py").write_text(f"# settings\nVALUE = '{PLANTED[name]}'\n")
    done = scan(repository)
    assert done.returncode == 1
    assert "settings.py:2: looks like a credential" in done.stderr
    assert PLANTED[name] not in done.stderr


def test_scan_of_a_folder_without_a_repository_fails(tmp_path: Path) -> None:
    done = scan(tmp_path)
    assert done.returncode != 0
    assert "not a git repository" in done.stderr


def test_scan_for_credentials_is_part_of_make_check() -> None:
    dry_run = subprocess.run(["make", "--dry-run", "check"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ".ci/secrets" in dry_run.stdout
