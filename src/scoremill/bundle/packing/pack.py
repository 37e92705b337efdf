"""From a fitted estimator to a bundle that a clean process has scored with."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.exceptions import InconsistentVersionWarning

from scoremill.errors import HINT, ModelError, ScoremillError, SkewError, UsageError, with_hint
from scoremill.spec import Csv, Missing, Storage
from scoremill.spec.model import BATCH_ROWS
from scoremill.storage.filesystem import Store
from scoremill.storage.hashing import sha256
from scoremill.storage.listing.nearby import did_you_mean
from scoremill.units import quoted

from .. import code as carried
from ..flavours import Flavour, flavour
from ..load import explained
from ..read import located, minor, versions_here
from ..results import TOLERANCE
from ..schema import CODE, MANIFEST, TRAINED, Bundle, sealed, to_document
from ..trust import check_types
from .measure import measure
from .prove import Claim, Proof, Proven, prove
from .sample import FrameSample, PackingSample, other_columns, sample_of

_DEFAULTS = Storage()
_CSV = Csv()
_CHUNK = 2**24


@dataclass(frozen=True)
class Staged:
    """A bundle in a local folder, and what must be proven about it."""

    bundle: Bundle
    claim: Claim


def pack(
    estimator: Any,
    output: str | Path,
    *,
    sample: pd.DataFrame | pd.Series | np.ndarray | str | Path | None = None,
    csv: Csv = _CSV,
    missing: Mapping[str, Missing] | None = None,
    method: str | None = None,
    code: Sequence[str | Path] = (),
    meta: Mapping[str, Any] | None = None,
    format: str = "joblib",
    columns: Sequence[str] | None = None,
    allow_batch_dependent: bool = False,
    trained_on: str | None = None,
    command: str | None = None,
    storage: Storage = _DEFAULTS,
    trusted_types: Sequence[str] = (),
    measure_batch: bool = False,
) -> Bundle:
    """The bundle written to `output`: proven, digest and all; the same digest for the same model, packed again.

    `estimator` is fitted, or the path of a .joblib, .pkl or .skops file with one. `sample` are a few rows of what it
    was trained on: a data frame or an array, used as it is, or the path of a CSV or Parquet file. `csv` is how a CSV
    sample is read, and how CSV input will be; `missing` the form (NaN, None, NA) that missing values of a column have
    in training; `code` modules and packages that the model needs; `trusted_types` what a skops file can contain beyond
    the types that skops trusts itself. With `measure_batch`, the bundle records the number of rows in a call with which
    the model was fastest here; jobs that give no `batchRows` use it.

    Raises TrustError for other types, FitError for columns that the sample lacks or that no input file gives to the model as in training,
    UsageError for modules that only this process has, ModelError for a model that fails, or gives other results once
    packed, again, or in other batches. What one input format alone alters is in the bundle's `gaps`, and a warning.
    """
    if isinstance(estimator, str | Path):
        estimator = read_model(Path(estimator), code, trusted_types)
    names = columns or tuple(getattr(estimator, "feature_names_in_", ()))
    rows = None if sample is None else sample_of(sample, storage, csv, missing or {}, names)
    trained = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "data": trained_on or (str(sample) if isinstance(sample, str | Path) else None),
        "meta": dict(meta or {}),
    }
    with tempfile.TemporaryDirectory(prefix="scoremill-pack-") as place:
        staged = stage(
            estimator,
            Path(place),
            sample=rows,
            method=method,
            code=code,
            format=format,
            columns=columns,
            trusted_types=trusted_types,
        )
        check_types("the model", staged.bundle.types, trusted_types)
        (found,) = prove([replace(staged.claim, measure_batch=measure_batch)])
        if isinstance(found, Exception):
            raise found
        bundle = judged(staged.bundle, found, allow_batch_dependent=allow_batch_dependent)
        bundle = sealed(replace(bundle, uri=located(str(output)), trained=trained))
        _publish(bundle, Path(place), Store(bundle.uri, storage))
    notes = tuple(_notes(bundle, rows, csv))
    if measure_batch and bundle.batch_rows is None:
        notes += (_not_measured(bundle),)
    for note in notes:
        warnings.warn(note, PackWarning, stacklevel=2)
    return replace(bundle, warnings=notes)


def _notes(bundle: Bundle, sample: PackingSample | None, csv: Csv) -> Iterator[str]:
    """What the packer should know about the bundle."""
    for gap in bundle.gaps:
        yield with_hint(gap.message, gap.hint(csv, [other.spelling for other in bundle.gaps if other.spelling]))
    if sample is not None:
        yield from sample.notes
    elif not bundle.named:
        names = [column.name for column in bundle.columns]
        yield (
            f"the model was trained without column names, so input must have the columns {', '.join(names[:_MANY])}"
            f"{', …' if len(names) > _MANY else ''}\n{HINT}Pack it with `sample=` (or `columns=`) to name them otherwise."
        )


_MANY = 12
"""Columns named in a note."""


def _not_measured(bundle: Bundle) -> str:
    reason = "its results depend on it" if bundle.batch_dependent else "the model is too slow or its rows are too large"
    return (
        f"the number of rows in a call of the model was not measured, because {reason}\n"
        f"{HINT}Jobs use {BATCH_ROWS:,} rows; give another number in `spec.model.batchRows`."
    )


class PackWarning(UserWarning):
    """What the packer of a model should know; it is also in the `warnings` of the bundle that `pack` returns."""


def read_model(path: Path, code: Sequence[str | Path] = (), trusted_types: Sequence[str] = ()) -> Any:
    """Return the estimator in the file at `path`, which the user named and so trusts; of a skops file, its known types."""
    if (path / MANIFEST).is_file():
        raise UsageError(
            f"{path} is already a bundle",
            f"Use it as it is, for example `scoremill score --model {path}`.",
            code="BundleExists",
        )
    if not path.is_file():
        raise UsageError(
            f"there is no model file {path}",
            did_you_mean(str(path), _DEFAULTS, "Name a .joblib, .pkl or .skops file."),
            code="ModelFileNotFound",
        )
    sys.path[:0] = carried.roots(code)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", InconsistentVersionWarning)
            estimator = _unpickled(path, trusted_types)
    except ScoremillError:
        raise
    except Exception as error:
        raise _unread(path, error) from error
    for there, here in {
        _versions(one.message) for one in caught if isinstance(one.message, InconsistentVersionWarning)
    }:
        # What is packed is said to be of the version here: an older model must not pass for one.
        if minor(there) != minor(here):
            raise SkewError(
                f"{path} was trained with scikit-learn {there}, here is {here}",
                f"Pack it with scikit-learn {there}, or train it again.",
            )
    return estimator


def _unpickled(path: Path, trusted_types: Sequence[str]) -> Any:
    if path.suffix == ".skops":
        return flavour("skops").load(path, {}, trusted_types)
    return joblib.load(path)


_MAGIC = (
    b"\x80",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x5d\x00",
    b"\x04\x22",
    b"x\x01",
    b"x^",
    b"x\x9c",
    b"x\xda",
    b"PK",
)
"""Beginnings of pickles, of what joblib compresses, and of skops' files."""


def _unread(path: Path, error: Exception) -> ScoremillError:
    """Why the file at `path`, on which `error` was raised, is not a model."""
    with path.open("rb") as file:
        begin = file.read(20)
    if not begin.startswith(_MAGIC) and not isinstance(error, ImportError | AttributeError):
        return ModelError(
            f"{path} is not a pickled model: it begins with {quoted(begin)}",
            "Name the file that joblib.dump, pickle.dump or skops.io.dump wrote.",
            code="ModelUnreadable",
        )
    if isinstance(error, EOFError) or "truncated" in str(error) or "EOF" in str(error):
        return ModelError(
            f"{path} was not written to its end",
            "joblib cannot write lambdas or functions that are defined inside others: call "
            "scoremill.pack(model, …) in the script that trains the model, or move them to a module.",
            code="ModelNotPicklable",
        )
    return explained(error, str(path))


def _versions(skew: InconsistentVersionWarning) -> tuple[str, str]:
    return str(skew.original_sklearn_version), str(skew.current_sklearn_version)


def stage(
    estimator: Any,
    folder: Path,
    *,
    sample: PackingSample | pd.DataFrame | None = None,
    method: str | None = None,
    code: Sequence[str | Path] = (),
    format: str = "joblib",
    columns: Sequence[str] | None = None,
    trusted_types: Sequence[str] = (),
) -> Staged:
    """The bundle of `estimator` in the local `folder`, not proven yet, and the claim that `prove` is to examine."""
    kind = flavour(format)
    if isinstance(sample, pd.DataFrame):
        sample = FrameSample(sample)
    measured = measure(estimator, sample, method, columns)
    files = _written(kind, estimator, folder, carried.gather(code))
    hashes = {name: _hash(folder / name) for name in files}
    bundle = sealed(
        replace(
            measured.bundle,
            uri=str(folder),
            format=format,
            versions=versions_here(),
            files=hashes,
            facts=files[kind.ARTIFACT],
            code=tuple(name for name in files if name != kind.ARTIFACT),
            sizes={name: (folder / name).stat().st_size for name in files},
            others=() if sample is None else other_columns(sample, list(measured.frame.columns)),
        )
    )
    _write(folder, bundle)
    return Staged(bundle, Claim(str(folder), measured.frame, measured.expected, tuple(trusted_types)))


def judged(bundle: Bundle, found: Proven, *, allow_batch_dependent: bool = False) -> Bundle:
    """Return `bundle` with the methods that are reliable. Raise ModelError if its own method is not.

    Another method that fails is left out. Packing with that method shows why.
    """
    results = {}
    for method, proof in found.methods.items():
        problem = _problem(bundle, method, proof, allow_batch_dependent=allow_batch_dependent)
        if problem is None:
            results[method] = bundle.results[method]
        elif method == bundle.method:
            raise problem
    is_dependent = found.methods[bundle.method].apart > TOLERANCE
    return sealed(
        replace(bundle, results=results, batch_dependent=is_dependent, steps=found.steps, batch_rows=found.batch_rows)
    )


def _problem(bundle: Bundle, method: str, proof: Proof, *, allow_batch_dependent: bool) -> ModelError | None:
    call_ = f"{bundle.model_class}.{method}"
    if proof.again > 0:
        return ModelError(
            f"{call_} is not deterministic: two calls on the same rows differ by {proof.again:.1e}",
            "Give the estimator a fixed random_state, or pack another method.",
            code="ModelNotDeterministic",
        )
    if proof.loaded > 0:
        return ModelError(
            f"{call_} differs by {proof.loaded:.1e} once the model is loaded in a clean process",
            "Something that it reads is not part of the model: a global, a file, a setting.",
            code="ModelNotPortable",
        )
    if proof.apart > TOLERANCE and not allow_batch_dependent:
        return ModelError(
            f"{call_} of a row depends on the rows scored with it: other batches differ by {proof.apart:.1e}",
            "Allow it (`allow_batch_dependent=True`) if results can depend on how the input is cut.",
            code="ModelBatchDependent",
        )
    return None


def _written(kind: Flavour, estimator: Any, folder: Path, code: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Each file's name below `folder`, the artifact's with what its flavour needs to know."""
    try:
        files = {kind.ARTIFACT: kind.dump(estimator, folder / kind.ARTIFACT)}
    except Exception as error:
        raise ModelError(
            f"the model cannot be written: {type(error).__name__}: {error}",
            "Open files, connections, locks and generators cannot be part of a model; skops knows fewer types than joblib.",
            code="ModelNotPicklable",
        ) from error
    for name, content in code.items():
        path = folder / CODE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        files[f"{CODE}/{name}"] = {}
    return files


def _publish(bundle: Bundle, folder: Path, store: Store) -> None:
    """Write the bundle to `store`, bundle.json last: without it there is no bundle."""
    _write(folder, bundle)
    store.delete([MANIFEST])
    for name in (*bundle.files, TRAINED, MANIFEST):
        with (folder / name).open("rb") as source, store.publish(name) as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)


def _write(folder: Path, bundle: Bundle) -> None:
    further: dict[str, Any] = {
        "others": [asdict(column) for column in bundle.others],
        "gaps": [asdict(gap) for gap in bundle.gaps],
    }
    if bundle.batch_rows is not None:
        further["batch_rows"] = bundle.batch_rows
    documents = {MANIFEST: to_document(bundle), TRAINED: {**bundle.trained, **further}}
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return sha256(file)
