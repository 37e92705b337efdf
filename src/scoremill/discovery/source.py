"""An input object, as it was listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from scoremill.naming import HIVE_NULL
from scoremill.storage.compression import Compression


@dataclass(frozen=True, slots=True)
class Source:
    """One input object, as it was listed."""

    root: str
    """URI of its bucket or folder."""
    name: str
    """Key below `root`; together with `identity` it identifies the object independent of mount points."""
    size: int
    """Size in bytes."""
    version: str
    """Version reported by the store (ETag, or size and time); compared again after reading."""
    identity: str
    """Basis of partition ids: the version, or a hash of the bytes."""
    format: Literal["csv", "parquet"]
    """File format."""
    row_groups: int = 0
    """Number of row groups of a Parquet object."""
    compression: Compression | None = None
    """How a CSV object is compressed: by its first bytes if planning read them, otherwise by its name."""
    rows: int = 0
    """Number of rows by the footer of a Parquet object."""
    modified: float = 0.0
    """Seconds since the epoch by the store's clock; 0.0 if the store does not say."""
    schema: str = ""
    """Hash of the names and types of the columns of a Parquet object."""

    @property
    def uri(self) -> str:
        return f"{self.root.rstrip('/')}/{self.name}"

    @property
    def is_compressed(self) -> bool:
        return self.compression is not None

    def hive(self) -> dict[str, str | None]:
        """Columns in its path: `year=2009/a.csv` gives `{"year": "2009"}`, without the escapes that Hive makes."""
        steps = (step.partition("=") for step in f"{self.root}/{self.name}".split("/")[:-1])
        return {
            unquote(key): None if value == HIVE_NULL else unquote(value) for key, found, value in steps if found and key
        }
