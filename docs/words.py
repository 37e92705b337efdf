"""Find words and forms that STYLE.md rules out, in every text file of the repository that git knows or would add.

Single words are in words.txt, which codespell reads next to its own dictionary of misspellings. Phrases and forms are here.
`tool.words.unclean` in pyproject.toml lists paths that may still have findings; a path without any must leave that list.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

DICTIONARY = Path(__file__).with_name("words.txt")
NAMES_WORDS = {"STYLE.md", "docs/words.txt", "docs/words.py", "tests/ci/test_words.py", "LICENSE"}
NO_TEXT = {".json", ".lock", ".svg", ".sum", ".mod"}
PHRASES = {
    "goes on": "continues",
    "looks at": "checks, reads",
    "of late": "recently",
    "for ever": "forever, without limit",
    "so long as|so long": "as long as",
    "what is done": "completed partitions",
    "who wants": "to …",
    "that there is not": "that does not exist",
    "cannot be had": "is not available",
    "at once": "immediately, at the same time",
    "in turns?": "alternately",
    "from elsewhere": "from another source",
    "of ours": "name the owner",
    "where (?:there is|there are|it is|none)": "if …",
    "(?:is|are|was|were) to be": "must, will",
    "begin(?:s|ning)? again": "starts over",
}
PHRASE = re.compile(rf"\b(?:{'|'.join(PHRASES)})\b", re.IGNORECASE)
FRAGMENT = re.compile(r'"""Whether |(?:"""|\b(?:description|help)[:=] ?"?|\| )(?:\w+|(?:Its|Of) [^.|"]+)\.(?:"|$| \|)')
RECORD = re.compile(r"^  (?:-\S.*?|[a-z-]+)(?:  +(\S.*))?$")
DEFAULT = re.compile(r"( Defaults to (?:[^.]|\.(?=\S))*\.| Can be given several times\.|\s*\[[^]]*\])+$")
HELP = "docs/reference/cli.md"


def text_files() -> list[str]:
    """Return the files to check."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [
        name for name in names if name not in NAMES_WORDS and Path(name).suffix not in NO_TEXT and Path(name).is_file()
    ]


def words(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the findings of codespell. Its words end at underscores, so that it reads names too."""
    options = ["--regex=[A-Za-z][A-Za-z'-]*", "--dictionary=-", f"--dictionary={DICTIONARY}"]
    command = [sys.executable, "-m", "codespell_lib", *options, *files]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode not in {0, 65}:  # 65: words were found
        sys.exit(found.stderr)
    for line in found.stdout.splitlines():
        yield line.split(":")[0], line


def forms(name: str) -> Iterator[tuple[str, str]]:
    """Yield phrases and one-word descriptions."""
    for number, line in enumerate(Path(name).read_text(errors="replace").splitlines(), 1):
        for match in PHRASE.finditer(line.replace("_", " ")):
            fix = next(fix for phrase, fix in PHRASES.items() if re.fullmatch(phrase, match[0], re.IGNORECASE))
            yield name, f"{name}:{number}: {match[0]} ==> {fix}"
        if fragment := FRAGMENT.search(line):
            yield name, f"{name}:{number}: {fragment[0]} ==> a sentence or a noun phrase without full stop"


def help_lines() -> Iterator[tuple[str, str]]:
    """Yield help of commands and options that is longer than a line or a sentence."""
    helps: list[tuple[int, str]] = []
    for number, line in enumerate(Path(HELP).read_text().splitlines(), 1):
        if match := RECORD.match(line):
            helps.append((number, match[1] or ""))
        elif helps and line.startswith(" " * 10):
            helps[-1] = helps[-1][0], f"{helps[-1][1]} {line.strip()}".strip()
    for number, text in helps:
        described = DEFAULT.sub("", text)
        if len(described) > 90 or ". " in described:
            yield HELP, f"{HELP}:{number}: {described} ==> one sentence of at most 90 characters"


def main() -> None:
    """Print the findings of clean paths and the unclean paths without findings."""
    unclean = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["words"]["unclean"]
    files = text_files()
    findings = [*words(files), *(finding for name in files for finding in forms(name))]
    findings += help_lines() if HELP in files else []
    wrong = [line for name, line in findings if not any(is_below(name, path) for path in unclean)]
    clean = [path for path in unclean if not any(is_below(name, path) for name, _ in findings)]
    wrong += [f"{path} is clean: remove it from tool.words.unclean in pyproject.toml" for path in clean]
    sys.exit("\n".join(wrong) or 0)


def is_below(name: str, path: str) -> bool:
    """Return whether `name` is the file `path` or in the folder `path`."""
    return f"{name}/".startswith(f"{path}/")


if __name__ == "__main__":
    main()
