"""Problems of sampled CSVs with the fields that would solve them, and doubts about what was read without a problem."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scoremill.spec import Csv
from scoremill.tabular.rename import renamed
from scoremill.units import quoted

from ..asked import Wanted
from ..problem import Problem
from ..sample import FirstBytes, Sample, check_beginning
from .fields import fields_between
from .suggest import Trial, can_be_field, likely_dialect, usual_nulls

_MOST_SOUGHT = 3
"""Dialects that are sought; further files with problems are only read in those that were found."""


def with_suggestions(samples: Sequence[Sample], csv: Csv, hive: bool, wanted: Wanted) -> list[Sample]:
    """Return `samples` with problems that say in which other dialect their files can be read."""
    found: list[Csv] = []
    sought = 0
    suggested = []
    for sample in samples:
        file = _File(sample, csv, hive, wanted)
        trial = file.solution(found) if file.is_wrong else None
        if file.is_wrong and trial is None and sought < _MOST_SOUGHT:
            sought += 1
            trial = file.likely()
            found += [trial.csv] if trial else []
        problems = _suggested(sample, csv, trial) if trial else sample.problems
        suggested.append(replace(sample, problems=(*problems, *file.doubts())))
    return suggested


def readable_dialect(sample: Sample, csv: Csv, hive: bool, wanted: Wanted) -> Csv | None:
    """Return the dialect in which a file that has problems in `csv` can be read, if there is one."""
    file = _File(sample, csv, hive, wanted)
    trial = file.likely() if file.is_wrong else None
    return trial.csv if trial else None


@dataclass(frozen=True, slots=True)
class _File:
    """A sampled file, and what is wanted of it."""

    sample: Sample
    csv: Csv
    hive: bool
    wanted: Wanted

    @property
    def is_wrong(self) -> bool:
        has_errors = any(problem.severity == "error" for problem in self.sample.problems)
        return self.sample.beginning is not None and (has_errors or self.sample.rejected > 0)

    @property
    def beginning(self) -> FirstBytes:
        assert self.sample.beginning is not None
        return self.sample.beginning

    def read(self, dialect: Csv) -> Sample:
        return check_beginning(self.sample.source, self.beginning, dialect, self.hive, self.wanted)

    def solution(self, dialects: Sequence[Csv]) -> Trial | None:
        """The first of `dialects` in which the file has no problem."""
        trials = (Trial(dialect, self.read(dialect)) for dialect in dialects)
        return next((trial for trial in trials if not trial.sample.problems), None)

    def likely(self) -> Trial | None:
        """The dialect that the file probably has, if it is another one."""
        path = tuple(self.sample.source.hive()) if self.hive else ()
        asked, columns = self.wanted.asked, self.wanted.columns
        meant = [column.name for column in columns] or [name for name in asked.names if name != "*"]

        def is_header(found: Sequence[str]) -> bool:
            return bool(meant) and set(meant) <= {*renamed((*found, *path), asked.changes((*found, *path), columns))}

        names = [name for name in meant if name not in path]
        return likely_dialect(self.csv, self.beginning.data, names, is_header, self.read)

    def doubts(self) -> Iterator[Problem]:
        """Yield warnings of what can be read and probably means something else."""
        if self.sample.beginning is not None and not self.is_wrong:
            yield from self._escaped_quotes()
            yield from self._escaped_nulls()

    def _escaped_quotes(self) -> Iterator[Problem]:
        csv, sample = self.csv, self.sample
        if not sample.is_irregular or csv.escape is not None or f"\\{csv.quote}".encode() not in self.beginning.data:
            return
        escaped = csv.model_copy(update={"escape": "\\"})
        trial = self.read(escaped)
        if not trial.is_irregular and trial.accepted >= sample.accepted:
            message = "quotes look escaped by backslashes, which are read as text"
            yield Problem("warning", sample.source.uri, message, f"If they are, give {fields_between(csv, escaped)}")

    def _escaped_nulls(self) -> Iterator[Problem]:
        csv, data = self.csv, self.beginning.data
        if "\\N" in csv.null_values or not can_be_field("\\N", data, csv):
            return
        spelled = csv.model_copy(update={"null_values": ("\\N", *usual_nulls(data, csv))})
        text = "N" if csv.escape_unquoted else "\\N"
        message = f"fields \\N, as databases write missing values, are read as the text {quoted(text)}"
        hint = f"If they are missing, give {fields_between(csv, spelled)}"
        yield Problem("warning", self.sample.source.uri, message, hint)


def _suggested(sample: Sample, csv: Csv, trial: Trial) -> Iterator[Problem]:
    """The problems of `sample`, those that the dialect of `trial` solves with the fields for it."""
    hint = f"It can be read with {fields_between(csv, trial.csv)}"
    if trial.csv.encoding != csv.encoding:
        hint += f" ({_accented(trial)})"
    code = "WrongDialect" if trial.csv.encoding == csv.encoding else "WrongEncoding"
    left = {problem.about or problem.message for problem in trial.sample.problems}
    for problem in sample.problems:
        about = problem.about or problem.message
        yield problem if about in left else replace(problem, hint=hint, about=f"{about}: {hint}", code=code)


def _accented(trial: Trial) -> str:
    """Return a word that shows a reader whether the encoding is right: many encodings can decode all bytes."""
    assert trial.sample.beginning is not None
    text = trial.sample.beginning.data.decode(trial.csv.encoding, errors="replace")
    word = re.search(r"\w*[^\W\x00-\x7f]\w*", text)
    return f"check that it says {quoted(word[0])}" if word else "check its text"
