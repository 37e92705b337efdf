"""A bundle's estimator, once a process, its bytes verified before anything is unpickled."""

from __future__ import annotations

import os
import tempfile
import threading
import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from scoremill.errors import ModelError, ScoremillError, TrustError, UsageError, VerificationError
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store
from scoremill.storage.hashing import sha256
from scoremill.units import quoted

from . import code
from .flavours import flavour
from .read import inspect, skews
from .schema import CODE, Bundle

_CHUNK = 2**24
_FETCHING = ".fetch-"
"""How the names of files that are being copied begin."""
_REPACK = "Pack the model again, or fetch the bundle again."
_KEPT = 4
"""Estimators that a process holds; the one loaded first goes first."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A bundle and its estimator."""

    bundle: Bundle
    estimator: Any


_loaded: dict[tuple[str, tuple[str, ...]], dict[bool, LoadedModel]] = {}
"""By digest and trusted types: the model as it was fitted, and accelerated, which shares its arrays."""
_lock = threading.Lock()


def load_model(
    uri: str,
    digest: str,
    storage: Storage,
    *,
    allow_version_skew: bool = False,
    trusted_types: tuple[str, ...] = (),
    accelerate: bool = False,
) -> LoadedModel:
    """Return the bundle at `uri`, which has `digest`, and its estimator; the same objects for each call in this process.

    `accelerate` runs the steps that the bundle lists as proven once for each distinct row of a batch.

    Raises TrustError for another digest or types that are not trusted, SkewError for versions that it must not be
    loaded with, VerificationError naming the file that is missing or altered, UsageError for a module that is not
    here, ModelError for what else keeps it from being loaded.
    """
    # What one job trusts, another need not.
    key = digest, trusted_types
    with _lock:
        if key not in _loaded:
            while len(_loaded) >= _KEPT:
                del _loaded[next(iter(_loaded))]
            _loaded[key] = {False: _load(uri, digest, storage, trusted_types, allow_version_skew=allow_version_skew)}
        models = _loaded[key]
        if accelerate not in models:
            models[accelerate] = _accelerated(models[False])
        return models[accelerate]


def _accelerated(model: LoadedModel) -> LoadedModel:
    # A driver imports this module to plan, and needs no scikit-learn for that.
    from .steps import with_steps

    return replace(model, estimator=with_steps(model.estimator, model.bundle))


def load_estimator(uri: str, digest: str, storage: Storage, *, trusted_types: tuple[str, ...] = ()) -> Any:
    """Return the estimator alone."""
    return load_model(uri, digest, storage, trusted_types=trusted_types).estimator


def _load(
    uri: str, digest: str, storage: Storage, trusted_types: tuple[str, ...], *, allow_version_skew: bool
) -> LoadedModel:
    bundle = inspect(uri, storage)
    if bundle.digest != digest:
        raise TrustError(
            f"{uri} has digest {bundle.digest}, not {digest} as planned", "Plan the job again.", code="DigestMismatch"
        )
    # A worker that joined late might have a different environment than those that were checked.
    skews(bundle, allowed=allow_version_skew)
    kind = flavour(bundle.format)
    artifact = _fetched(bundle, storage, kind.ARTIFACT)
    # Before anything of the bundle is imported.
    getattr(kind, "check", lambda *_: None)(artifact, trusted_types)
    if _can_run_code(bundle, trusted_types):
        for name in bundle.code:
            _fetched(bundle, storage, name)
        _remove_foreign_files(bundle)
        code.enter(bundle, _folder(bundle))
    try:
        with warnings.catch_warnings():
            # The skew of versions was judged when the bundle was opened, with words of our own.
            warnings.filterwarnings("ignore", message="Trying to unpickle estimator")
            return LoadedModel(bundle, kind.load(artifact, bundle.facts, trusted_types))
    except ScoremillError:
        raise
    except Exception as error:
        raise explained(error, uri) from error


def _can_run_code(bundle: Bundle, trusted_types: tuple[str, ...]) -> bool:
    """Return whether modules of `bundle` can be imported; for skops, only if the user trusts a type in them.

    Raises TrustError if one has the name of an installed module, which it would shadow: the user trusts that module.
    """
    if bundle.format != "skops":
        return bool(bundle.code)
    carried = code.modules(bundle)
    named = {name.partition(".")[0] for name in trusted_types}
    if named.isdisjoint(carried):
        return False
    if taken := code.shadowing(bundle, cache_folder()):
        raise TrustError(
            f"{bundle.uri} brings its own {', '.join(taken)}, which would run in place of what is installed here",
            "Pack the model without --code for what is installed where it scores.",
            code="InvalidModelCode",
        )
    return True


def explained(error: Exception, what: str, done: str = "loaded") -> ScoremillError:
    """The error to raise where `what` raised `error` when it was `done`: it names a missing module, or the reason."""
    if isinstance(error, ModuleNotFoundError):
        return UsageError(
            f"{what} needs the module {quoted(error.name)}, which is not here",
            f"Pack it with --code FILE|PACKAGE for {error.name}, or install the package that has it.",
            code="ModuleMissing",
        )
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return UsageError(
            f"{what} needs something that a script or notebook defined: {error}",
            "Call scoremill.pack(estimator, …) in that script, or move the definition to a module "
            "and pack with --code.",
            code="DefinedInMain",
        )
    return ModelError(f"{what} cannot be {done}: {type(error).__name__}: {error}", code="ModelUnreadable")


def _fetched(bundle: Bundle, storage: Storage, name: str) -> Path:
    """Return the verified file `name` of the bundle in the cache; processes that fetch concurrently write the same bytes.

    A local file is copied as well, because it could be replaced before it is opened again.
    """
    path = _folder(bundle) / name
    if _is_intact(path, bundle.files[name]):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    store = Store(bundle.uri, storage)
    if store.info(name) is None:
        raise VerificationError(f"{bundle.uri}: {name} is missing", _REPACK, code="BundleAltered")
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_FETCHING, delete=False) as target:
        try:
            with store.open(name) as source:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
            target.close()
            if not _is_intact(Path(target.name), bundle.files[name]):
                raise VerificationError(f"{bundle.uri}: {name} was altered", _REPACK, code="BundleAltered")
            Path(target.name).replace(path)
        finally:
            Path(target.name).unlink(missing_ok=True)
    return path


def _remove_foreign_files(bundle: Bundle) -> None:
    """Remove files from the cache that are not the bundle's, such as compiled modules: Python would import those."""
    folder = _folder(bundle)
    for path in (folder / CODE).rglob("*"):
        is_named = path.relative_to(folder).as_posix() in bundle.code
        if path.is_file() and not is_named and not path.name.startswith(_FETCHING):
            path.unlink(missing_ok=True)


def _is_intact(path: Path, wanted: str) -> bool:
    try:
        with path.open("rb") as file:
            return sha256(file) == wanted
    except OSError:
        return False


def _folder(bundle: Bundle) -> Path:
    return cache_folder() / bundle.digest.removeprefix("sha256:")


@cache
def cache_folder() -> Path:
    """Where fetched bundles are kept, a folder a digest.

    It is one of this process's own where no home can be written, or where others could write to it.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "scoremill" / "bundles"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
        with tempfile.TemporaryFile(dir=folder):
            if status.st_uid == os.geteuid() and not status.st_mode & 0o022:
                return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="scoremill-bundles-"))
