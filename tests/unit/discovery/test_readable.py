"""Files in other dialects: the plan prints the flags that read them, and with those it has no problem."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from scoremill.cli.flags.options import job_from, job_options
from scoremill.discovery.dialect.fields import FIELDS
from scoremill.planning import Needs, Plan, build_plan
from scoremill.spec import Column, Csv
from tests.support.cli import as_flags

COLUMNS = (Column("fare", "float64"), Column("zone", "string"), Column("größe", "int64"))


def planned(folder: Path, files: dict[str, bytes], flags: list[str] | None = None) -> Plan:
    (folder / "in").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / "in" / name).write_bytes(content)
    jobs: list[Any] = []
    command = click.command()(job_options(lambda job, **given: jobs.append(job_from(job, given))))  # type: ignore[type-var]
    places = ["--model", "bundle", "--input", f"{folder}/in/*", "--output", str(folder / "out")]
    command.main([*places, *(flags or [])], standalone_mode=False)
    return build_plan(jobs[0].spec, Needs("sha256:0", "predict", COLUMNS), ["prediction"])


def flags_in(plan: Plan) -> str:
    """The flags in the hint of a plan's first problem."""
    hint = plan.problems[0].hint
    found = re.search(r'It can be read with (.*?)(?: \(check that it says ".*"\))?$', hint, re.DOTALL)
    assert found, hint
    return as_flags(found[1])


HEADER = "fare,zone,größe\n"
ROWS = [f"{i}.5,a,{i}\n" for i in range(30)]
PLAIN = HEADER + "".join(ROWS)
DECIMAL = "".join(f"{i},5;b;{i}\n" for i in range(30))

CASES: dict[str, tuple[str | bytes, str]] = {
    "delimiter": (PLAIN.replace(",", ";"), "--delimiter ';'"),
    "tabs": (PLAIN.replace(",", "\t"), r"--delimiter '\t'"),
    "pipes with another quote": (
        PLAIN.replace(",", "|").replace("|a|", "|'a|b\n'|"),
        "--delimiter '|' --set spec.input.csv.quote=\\'",
    ),
    "preamble": ('Report "x\n\n2020;1\n' + PLAIN, "--set spec.input.csv.skipRows=3"),
    "preamble and delimiter": (
        "Report\nMarch\n" + PLAIN.replace(",", ";"),
        "--set spec.input.csv.skipRows=2 --delimiter ';'",
    ),
    "comments before the header": ('# one\n#two, "x\n' + PLAIN, "--set spec.input.csv.comment=#"),
    "comments between rows": (PLAIN + "# the end\n", "--set spec.input.csv.comment=#"),
    "comments everywhere": ("% x\n" + HEADER + "% y\n".join(ROWS), "--set spec.input.csv.comment=%"),
    "Excel's separator line": (
        "sep=;\r\n" + PLAIN.replace(",", ";"),
        "--set spec.input.csv.skipRows=1 --delimiter ';'",
    ),
    "decimal commas": (HEADER.replace(",", ";") + DECIMAL, "--delimiter ';' --set spec.input.csv.decimal=,"),
    "decimal commas and thousands": (
        HEADER.replace(",", ";") + DECIMAL + "1.234,5;c;1.000\n",
        "--delimiter ';' --set spec.input.csv.decimal=, --set spec.input.csv.thousands=.",
    ),
    "thousands": (HEADER + '"1,234.5",a,"1,234,567"\n' * 9, "--set spec.input.csv.thousands=,"),
    "no header": (PLAIN.removeprefix(HEADER), "--no-header --names 'fare,zone,größe'"),
    "no header and tabs": (
        PLAIN.removeprefix(HEADER).replace(",", "\t"),
        r"--no-header --names 'fare,zone,größe' --delimiter '\t'",
    ),
    "Latin-1": (PLAIN.encode("cp1252"), "--encoding cp1252"),
    "Spark's escapes": (PLAIN + '1,"say \\"x, y\\"",2\n', r"--set 'spec.input.csv.escape=\'"),
    "escapes without quotes": (
        PLAIN.replace(",", "\t") + "1\ta\\\tb\t2\n",
        r"--delimiter '\t' --set 'spec.input.csv.escape=\' --set spec.input.csv.escapeUnquoted=true",
    ),
    "surplus delimiters": (
        HEADER + "".join(row.replace("\n", ",,\n") for row in ROWS),
        "--set spec.input.csv.surplusFields=DropEmpty",
    ),
    "blanks behind delimiters": (PLAIN.replace(",", ", "), "--set spec.input.csv.skipInitialSpace=true"),
    "question marks": (PLAIN + "?,?,?\n,NA,5\n", """--set 'spec.input.csv.nullValues=["?", "", "NA"]'"""),
    "blanks and question marks": (
        HEADER + "".join(ROWS).replace(",", ", ") + "1, ?, ?\n",
        """--set spec.input.csv.skipInitialSpace=true --set 'spec.input.csv.nullValues=["?", ""]'""",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_flags_that_the_plan_prints_read_the_file(case, tmp_path):
    content, expected = CASES[case]
    files = {"a.csv": content if isinstance(content, bytes) else content.encode()}
    plan = planned(tmp_path, files)
    flags = flags_in(plan)
    assert all(flags_in(plan) == flags for problem in plan.problems)
    assert planned(tmp_path, files, shlex.split(flags)).problems == ()
    assert sorted(shlex.split(flags)) == sorted(shlex.split(expected))


def test_flags_are_added_to_those_that_are_given(tmp_path):
    files = {"a.csv": ("Report\n" + PLAIN.replace(",", ";") + "?;a;1\n").encode()}
    given = ["--delimiter", ";", "--encoding", "latin-1"]
    flags = flags_in(planned(tmp_path, files, given))
    assert planned(tmp_path, files, [*given, *shlex.split(flags)]).problems == ()
    assert "--delimiter" not in flags


def test_many_files_of_one_dialect_have_one_problem(tmp_path):
    files = {f"{at}.csv": f"Report {at}\n{PLAIN.replace(',', ';')}".encode() for at in range(40)}
    (problem,) = planned(tmp_path, files).problems
    assert problem.where.endswith("and 39 more")
    assert as_flags(problem.hint) == "It can be read with --set spec.input.csv.skipRows=1 --delimiter ';'"


def test_files_of_two_dialects_have_a_problem_each(tmp_path):
    files = {
        "a.csv": PLAIN.replace(",", ";").encode(),
        "b.csv": PLAIN.replace(",", "\t").encode(),
        "c.csv": PLAIN.encode(),
    }
    hints = [problem.hint for problem in planned(tmp_path, files).problems]
    assert [as_flags(hint) for hint in hints] == [
        "It can be read with --delimiter ';'",
        r"It can be read with --delimiter '\t'",
    ]


def test_a_hint_of_an_encoding_shows_a_word_by_which_it_can_be_checked(tmp_path):
    (problem,) = planned(tmp_path, {"a.csv": PLAIN.encode("cp1252")}).problems
    assert as_flags(problem.hint) == 'It can be read with --encoding cp1252 (check that it says "größe")'


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("größe", "size"),
        HEADER + "x,a,1\ny,b,2\n" * 20,
        HEADER + '"1,234",a,1\n' * 20,
        HEADER + "1,a\n" * 20,
        "",
        "x",
    ],
    ids=["another name", "words for numbers", "thousands or decimals", "a field too few", "nothing", "a word"],
)
def test_no_flag_is_suggested_without_certainty(content, tmp_path):
    problems = planned(tmp_path, {"a.csv": content.encode()}).problems
    assert not any("It can be read" in problem.hint for problem in problems)


def test_one_bad_row_in_a_good_file_is_no_other_dialect(tmp_path):
    (problem,) = planned(tmp_path, {"a.csv": (PLAIN + "1,a\nx,b,3\n").encode()}).problems[:1]
    assert problem.severity == "warning"
    assert problem.hint.startswith("Rejected rows go to _errors/")


def test_every_suggested_field_exists():
    assert {*FIELDS} <= {*Csv.model_fields}


def test_names_that_are_fewer_than_the_fields_are_counted(tmp_path):
    content = PLAIN.removeprefix(HEADER).encode()
    hint = "`spec.input.csv.columns` gives 2 names, and the first row has 3 fields: give a name for each field, in their order."
    for names in ("fare,zone", "a,b"):
        (problem,) = planned(tmp_path, {"a.csv": content}, ["--no-header", "--names", names]).errors
        assert problem.hint == hint


@pytest.mark.parametrize(
    ("content", "flags", "message", "hint"),
    [
        (
            PLAIN + '1,"say \\"x\\"",2\n',
            [],
            "quotes look escaped",
            r"If they are, give --set 'spec.input.csv.escape=\'",
        ),
        (
            PLAIN + "1,\\N,2\n",
            [],
            r'are read as the text "\\N"',
            r"""If they are missing, give --set 'spec.input.csv.nullValues=["\\N", ""]'""",
        ),
        (
            PLAIN + "1,\\N,2\n,NA,3\n",
            ["--set", "spec.input.csv.escape=\\", "--set", "spec.input.csv.escapeUnquoted=true"],
            'are read as the text "N"',
            r"""If they are missing, give --set 'spec.input.csv.nullValues=["\\N", "", "NA"]'""",
        ),
    ],
)
def test_what_can_be_read_and_probably_means_something_else_is_a_warning(content, flags, message, hint, tmp_path):
    files = {"a.csv": content.encode()}
    (problem,) = planned(tmp_path, files, flags).problems
    assert problem.severity == "warning"
    assert message in problem.message
    given = as_flags(problem.hint)
    assert sorted(given.split(",")) == sorted(hint.split(","))
    assert planned(tmp_path, files, [*flags, *shlex.split(given.partition("give ")[2])]).problems == ()


def test_a_backslash_before_a_quote_that_can_be_text_is_no_warning(tmp_path):
    content = PLAIN + '1,"C:\\",2\n3,5\\",4\n'
    assert planned(tmp_path, {"a.csv": content.encode()}).problems == ()
