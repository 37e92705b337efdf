"""A bundle as a value, and as the `bundle.json` that says what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from scoremill import naming
from scoremill.errors import FitError
from scoremill.spec import Column, Gap
from scoremill.spec.model import BATCH_ROWS
from scoremill.storage.names import is_below_its_root
from scoremill.units import quoted

FORMAT_VERSION = 1
"""Of bundle.json; a reader refuses newer ones."""
MANIFEST = "bundle.json"
"""What the bundle is: everything that its digest covers."""
TRAINED = "trained.json"
"""When, by which command and on what the model was trained; outside the digest."""
CODE = "code"
"""Folder of the modules that the model needs."""

_NOT_SEALED = ("uri", "digest", "trained", "others", "gaps", "batch_rows", "warnings")


@dataclass(frozen=True, repr=False)
class Bundle:
    """A model as it is shipped; nothing in it was unpickled to learn this."""

    uri: str
    digest: str
    """`sha256:` and the hash of all fields but those about where, when and by whom."""
    model_class: str
    """The estimator's class with its module."""
    format: str
    """Name of the flavour: `joblib`, `skops` or that of a third party."""
    columns: tuple[Column, ...]
    """What the model reads, in the order it wants them."""
    named: bool
    """True if the model gets a data frame with names, else a two-dimensional array."""
    method: str
    """What is called where nobody says otherwise."""
    results: dict[str, tuple[Column, ...]]
    """Result columns of each method that the model has, measured when it was packed."""
    classes: tuple[Any, ...] | None = None
    """A classifier's classes; for several outputs a tuple for each."""
    versions: dict[str, str] = field(default_factory=dict)
    """Versions of Python and the libraries when the model was packed."""
    code: tuple[str, ...] = ()
    """Files below `code/`."""
    trained: dict[str, Any] = field(default_factory=dict)
    """When, by which command, on what data; free metadata under `meta`."""
    batch_dependent: bool = False
    """True if a row's result depends on the rows scored with it."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of each file."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each file, in hexadecimal."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the flavour needs to know to load the artifact."""
    series: bool = False
    """True if the model reads one column as a series of texts, as text vectorizers do."""
    others: tuple[Column, ...] = ()
    """Columns of the sample that the model does not read."""
    gaps: tuple[Gap, ...] = ()
    """Values of the training data that one of the input formats alters; outside the digest."""
    steps: dict[str, str] = field(default_factory=dict)
    """Each transformer in the model, and why it cannot run once for each distinct row of a batch; empty if it can."""
    batch_rows: int | None = None
    """Number of rows in a call with which the model was fastest when it was packed; None if not measured. Outside the digest."""
    warnings: tuple[str, ...] = ()
    """What differs here from where the model was packed, and can matter."""

    def __repr__(self) -> str:
        return f"Bundle({self.uri!r}, {self.model_class}.{self.method}, {self.digest})"

    @property
    def by_value(self) -> tuple[str, ...]:
        """Functions and classes of a script or notebook that travel inside the artifact."""
        return tuple(self.facts.get("by_value", ()))

    @property
    def types(self) -> tuple[str, ...]:
        """Types that must be trusted to load it, according to the bundle; the file itself decides."""
        return tuple(map(str, self.facts.get("types", ())))


def to_document(bundle: Bundle) -> dict[str, Any]:
    """The content of bundle.json; the same for the same model, whenever and wherever it is packed."""
    covered = {name: value for name, value in asdict(bundle).items() if name not in _NOT_SEALED}
    if not bundle.steps:
        # Bundles without transformers keep the digest that they had before steps were examined.
        del covered["steps"]
    return {"formatVersion": FORMAT_VERSION, "digest": bundle.digest, **covered}


def digest_of(bundle: Bundle) -> str:
    """The digest that `bundle` must have: a hash of artifact, schema, methods, code and versions."""
    document = to_document(bundle)
    del document["digest"]
    return "sha256:" + naming.digest(document)


def sealed(bundle: Bundle) -> Bundle:
    """`bundle` with its digest."""
    return replace(bundle, digest=digest_of(bundle))


def from_document(document: Mapping[str, Any], trained: Mapping[str, Any], uri: str) -> Bundle:
    """The bundle that bundle.json and trained.json describe; FitError for a version or form not known here."""
    version = document.get("formatVersion")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise FitError(
            f"{uri}/{MANIFEST} has format version {quoted(version)}; known here are those up to {FORMAT_VERSION}",
            "Install a newer scoremill, or pack the model again with this one.",
            code="InvalidBundle",
        )
    known = {f.name for f in fields(Bundle)} - set(_NOT_SEALED)
    values = {name: document[name] for name in known if name in document}
    try:
        _refuse_strange_names(uri, document["files"], document["code"])
        values |= {
            "columns": _columns(document["columns"]),
            "results": {method: _columns(columns) for method, columns in document["results"].items()},
            "classes": _tuples(document["classes"]),
            "code": tuple(document["code"]),
        }
        return Bundle(
            uri=uri,
            digest=document["digest"],
            others=_columns(trained.get("others", ())),
            gaps=tuple(Gap(**gap) for gap in trained.get("gaps", ())),
            batch_rows=_batch_rows(trained.get("batch_rows"), uri),
            trained={key: value for key, value in trained.items() if key not in ("others", "gaps", "batch_rows")},
            **values,
        )
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"{quoted(error.args[0])} is missing" if isinstance(error, KeyError) else error
        raise FitError(
            f"{uri}/{MANIFEST} is not a bundle's: {reason}", "Pack the model again.", code="InvalidBundle"
        ) from None


def _batch_rows(value: Any, uri: str) -> int | None:
    """Return `value` if packing can have measured it: the digest does not cover it, and large batches take memory."""
    if value is None or (type(value) is int and 0 < value <= BATCH_ROWS):
        return value
    raise FitError(
        f"{uri}/{TRAINED}: batch_rows {quoted(value)} is not a number from 1 to {BATCH_ROWS}",
        "Pack the model again.",
        code="InvalidBundle",
    )


def _refuse_strange_names(uri: str, files: Mapping[str, Any], code: Iterable[str]) -> None:
    """Raise FitError for names that could lead out of the bundle, and for code that is not among its files."""
    outside = [name for name in files if not is_below_its_root(name)]
    outside += [name for name in code if name not in files or not name.startswith(f"{CODE}/")]
    if outside:
        raise FitError(
            f"{uri}/{MANIFEST} names files outside the bundle: {', '.join(map(quoted, outside))}",
            "Do not load it.",
            code="InvalidBundle",
        )


def _columns(documents: Any) -> tuple[Column, ...]:
    return tuple(
        Column(**{**column, "categories": _tuples(column.get("categories")), "texts": _tuples(column.get("texts", ()))})
        for column in documents
    )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
