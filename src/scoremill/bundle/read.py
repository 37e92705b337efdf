"""What a bundle says of itself, read without unpickling anything."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scoremill.errors import FitError, SkewError, StorageError, UsageError, VerificationError
from scoremill.spec import Model, Storage
from scoremill.storage.filesystem import Store
from scoremill.storage.hashing import sha256
from scoremill.storage.listing.nearby import did_you_mean, does_not_exist
from scoremill.storage.uri import is_local, local_path
from scoremill.units import quoted
from scoremill.version import __version__

from .schema import MANIFEST, TRAINED, Bundle, digest_of, from_document
from .trust import check_trust, check_types

_SHARE = "Start driver and workers from the same image or environment."
_WATCHED = ("scikit-learn", "numpy", "pandas", "pyarrow")


def open_bundle(model: Model, storage: Storage, *, named_by_user: bool = True) -> Bundle:
    """The bundle of `model`, trusted and fit to be loaded here; `warnings` names versions that differ.

    Raises TrustError also for types of a skops bundle that are not trusted, SkewError where scikit-learn's minor version differs and that was not allowed, FitError for a
    method that the model does not have, UsageError if there is no bundle, VerificationError for an altered one.
    """
    bundle = inspect(model.uri, storage)
    check_trust(model, bundle.digest, named_by_user=named_by_user)
    check_types(model.uri, bundle.types, model.trusted_types)
    if model.method is not None and model.method not in bundle.results:
        raise FitError(
            f"{model.uri} has no method {quoted(model.method)}",
            f"It offers {', '.join(bundle.results)}.",
            code="MethodMissing",
        )
    return replace(bundle, warnings=skews(bundle, allowed=model.allow_version_skew))


def inspect(uri: str, storage: Storage) -> Bundle:
    """All that the bundle at `uri` says of itself; its bundle.json has the digest that it names."""
    uri = located(uri)
    store = Store(uri, storage)
    bundle = from_document(_document(store, MANIFEST), _document(store, TRAINED, missing={}), uri)
    if (found := digest_of(bundle)) != bundle.digest:
        raise VerificationError(
            f"{uri}/{MANIFEST} was altered: it says {bundle.digest}, its content has {found}",
            "Pack the model again, or fetch the bundle again.",
            code="BundleAltered",
        )
    return bundle


def verify_bundle(uri: str, storage: Storage) -> Bundle:
    """The bundle at `uri`, each of whose files is as it was packed; VerificationError naming those that are not."""
    bundle = inspect(uri, storage)
    store = Store(uri, storage)
    there = {info.name for info in store.list()}
    missing = sorted(bundle.files.keys() - there)
    altered = sorted(name for name in bundle.files.keys() & there if sha256_of(store, name) != bundle.files[name])
    if missing or altered:
        problems = [f"{name} is missing" for name in missing] + [f"{name} was altered" for name in altered]
        raise VerificationError(
            f"{uri}: {'; '.join(problems)}", "Pack the model again, or fetch the bundle again.", code="BundleAltered"
        )
    return bundle


def located(uri: str) -> str:
    """Return `uri`, absolute if it is local, because a worker can run in another folder."""
    return local_path(uri) if is_local(uri) else uri.rstrip("/")


def sha256_of(store: Store, name: str) -> str:
    """The hash of an object's bytes, in hexadecimal."""
    with store.open(name) as file:
        return sha256(file)


def versions_here() -> dict[str, str]:
    """Versions of Python and of the libraries whose differences matter to models."""
    found = {"python": platform.python_version()}
    for name in (*_WATCHED, "joblib", "cloudpickle", "skops"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def environment_here() -> dict[str, str]:
    """Versions of all that driver and workers must share."""
    return {"scoremill": __version__, **versions_here()}


def judge_worker(worker: str, versions: Mapping[str, str], *, allowed: bool) -> list[str]:
    """Return relevant differences between the environments of a worker and of the driver, which is this process.

    Raises SkewError for another scoremill, or, unless `allowed`, for another minor version of scikit-learn.
    """
    here = environment_here()
    if versions["scoremill"] != here["scoremill"]:
        raise SkewError(f"{worker} has scoremill {versions['scoremill']}, the driver has {here['scoremill']}", _SHARE)
    there = {name: versions.get(name, "none") for name in ("python", *_WATCHED)}
    skews = [name for name in there if minor(there[name]) != minor(here.get(name, "none"))]
    if "scikit-learn" in skews and not allowed:
        raise SkewError(
            f"{worker} has scikit-learn {there['scikit-learn']}, the driver has {here.get('scikit-learn', 'none')}",
            f"{_SHARE} Or allow it (`spec.model.allowVersionSkew: true`).",
        )
    return [f"workers have {name} {there[name]}, the driver has {here.get(name, 'none')}" for name in skews]


def _document(store: Store, name: str, missing: Any = None) -> Any:
    try:
        text = store.read(name)
    except StorageError:
        if store.info(name) is not None:
            raise
        if missing is not None:
            return missing
        raise _no_bundle(store, name) from None
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise VerificationError(
            f"{store.uri}/{name} is not JSON: it was altered or cut short",
            "Pack the model again.",
            code="BundleAltered",
        )
    return document


def _no_bundle(store: Store, name: str) -> UsageError:
    uri, wanted = store.uri, "Name the folder or prefix that `scoremill model pack` wrote with --output."
    if does_not_exist(uri):
        return UsageError(f"no such bundle: {uri}", did_you_mean(uri, store.settings, wanted), code="BundleNotFound")
    if is_local(uri) and Path(local_path(uri)).is_file():
        return UsageError(
            f"{uri} is a file, not a bundle",
            f"If it is a model, pack it: `scoremill model pack {uri} --output BUNDLE`; then name BUNDLE.",
            code="NotABundle",
        )
    return UsageError(
        f"{uri} is not a bundle: it has no {name}", did_you_mean(uri, store.settings, wanted), code="NotABundle"
    )


def skews(bundle: Bundle, *, allowed: bool) -> tuple[str, ...]:
    """What differs between the versions here and those that `bundle` was packed with; SkewError where it must not."""
    here = versions_here()
    differ = {
        name: (there, here.get(name, "none"))
        for name, there in bundle.versions.items()
        if name in ("python", *_WATCHED) and minor(there) != minor(here.get(name, ""))
    }
    if "scikit-learn" in differ and not allowed:
        there, found = differ["scikit-learn"]
        raise SkewError(
            f"{bundle.uri} was packed with scikit-learn {there}, here is {found}",
            f"Install scikit-learn {there}, pack the model again, or allow it (`spec.model.allowVersionSkew: true`).",
        )
    if "python" in differ and bundle.by_value and not allowed:
        there, found = differ["python"]
        raise SkewError(
            f"{bundle.uri} carries code of Python {there} ({', '.join(bundle.by_value)}), here is {found}",
            "Put that code in a module and pack again with --code, or use the same Python.",
        )
    return tuple(f"packed with {name} {there}, here is {found}" for name, (there, found) in differ.items())


def minor(version: str) -> list[str]:
    """The part of a version within which a pickle is held to be safe."""
    return version.split(".")[:2]
