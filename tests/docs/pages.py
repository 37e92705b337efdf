"""Pages of prose and the commands in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("", "how-to", "coming-from", "explanation", "help")
PROSE = [
    ROOT / "README.md",
    *(page for folder in _FOLDERS for page in sorted((ROOT / "docs" / folder).glob("*.md"))),
]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\S+\.\w+)\n")


def blocks(page: Path, language: str) -> list[str]:
    """Return all code blocks of a language on a page."""
    return [block for found, block in _BLOCK.findall(page.read_text()) if found == language]


def script(page: Path) -> str:
    """Return a bash script of all commands of `page` in order; empty if it has none.

    Blocks of `sh` and `python` are run; one that begins with a comment such as `# job.yaml` is
    written to that file instead. Blocks of `console` and `text` are only shown.
    """
    steps = [step for language, block in _BLOCK.findall(page.read_text()) if (step := _step(language, block))]
    return "\n".join(["set -euo pipefail", *steps]) if steps else ""


def _step(language: str, block: str) -> str:
    if language in {"console", "text"}:
        return ""
    if name := _FILE.match(block):
        return f"cat > {name[1]} <<'END_OF_BLOCK'\n{block}END_OF_BLOCK"
    return {"sh": block, "python": f"python <<'END_OF_BLOCK'\n{block}END_OF_BLOCK"}.get(language, "")
