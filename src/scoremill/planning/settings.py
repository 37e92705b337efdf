"""Everything that shapes the bytes of a part, as one value whose hash is in every partition's id."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from scoremill import naming
from scoremill.errors import UsageError
from scoremill.spec import Column, Csv, CsvFormulas, Format, Gap, JobSpec, KeptColumn
from scoremill.spec.model import BATCH_ROWS
from scoremill.tabular.rename import Renaming

PART_FORMAT = 2
"""Version of how parts are written; a change of it changes every id."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the plan has to know of a bundle."""

    digest: str
    method: str
    columns: tuple[Column, ...]
    gaps: tuple[Gap, ...] = ()
    batch_rows: int = BATCH_ROWS
    """Rows in one call of the model if the job gives no number."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run does to each row; frozen when the output is first written."""

    bundle: str
    method: str
    batch_rows: int
    partition_bytes: int
    csv: Csv
    hive: bool
    id_by: str
    format: Format
    keep: tuple[KeptColumn, ...]
    """Kept columns with the types that they have in every part."""
    row_id: bool
    columns: tuple[tuple[str, str], ...]
    threshold: float | None
    dtype: str | None
    raw: str
    where: str | None = None
    where_columns: tuple[Column, ...] = ()
    """Columns of `where`, with the types that it compares."""
    partition_by: tuple[str, ...] = ()
    rows_per_file: int | None = None
    rename: tuple[tuple[str, str], ...] = ()
    """Names of columns in the input, and those that all else uses."""
    match_columns: str = "Exact"
    csv_formulas: CsvFormulas = "Keep"

    @property
    def renaming(self) -> Renaming:
        """How the columns of each input object are renamed."""
        return Renaming(self.rename, self.match_columns == "Relaxed")

    @classmethod
    def of(cls, job: JobSpec, needs: Needs, keep: tuple[KeptColumn, ...], where: tuple[Column, ...]) -> Settings:
        return cls(
            bundle=needs.digest,
            method=needs.method,
            batch_rows=job.model.batch_rows or needs.batch_rows,
            partition_bytes=job.input.partition_bytes,
            csv=job.input.csv,
            hive=job.input.hive,
            id_by=job.input.id_by,
            format=job.output.format,
            keep=keep,
            row_id=job.output.row_id,
            columns=tuple(job.output.columns.items()),
            threshold=job.output.threshold,
            dtype=job.output.dtype,
            raw=job.errors.raw,
            where=job.input.where,
            where_columns=where,
            partition_by=job.output.partition_by,
            rows_per_file=job.output.rows_per_file,
            rename=tuple(job.input.rename.items()),
            match_columns=job.input.match_columns,
            csv_formulas=job.output.csv_formulas,
        )

    def as_json(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields["csv"] = self.csv.model_dump(mode="json", by_alias=True)
        for name in ("keep", "where_columns"):
            fields[name] = [asdict(column) for column in fields[name]]
        return {"partFormat": PART_FORMAT, **fields}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Settings:
        if fields["partFormat"] != PART_FORMAT:
            raise UsageError(
                f"the output was started by another version of scoremill, which writes parts in another form "
                f"({fields['partFormat']}, here {PART_FORMAT})",
                "Finish it with that version, use `spec.output.mode: Overwrite` to start over, or choose another output.",
                code="OutputVersion",
            )
        known = {name: fields[name] for name in cls.__slots__}
        known["csv"] = Csv.model_validate(known["csv"])
        known["keep"] = tuple(KeptColumn(**column) for column in known["keep"])
        known["where_columns"] = tuple(_column(column) for column in known["where_columns"])
        known["partition_by"] = tuple(known["partition_by"])
        for name in ("columns", "rename"):
            known[name] = tuple((old, new) for old, new in known[name])
        return cls(**known)

    @property
    def hash(self) -> str:
        """Part of every partition's id; the cut is in an id by its range."""
        fields = self.as_json()
        del fields["partition_bytes"]
        return naming.digest(fields)


def _column(fields: dict[str, Any]) -> Column:
    categories = fields["categories"]
    categories = None if categories is None else tuple(categories)
    return Column(**{**fields, "categories": categories, "texts": tuple(fields["texts"])})
