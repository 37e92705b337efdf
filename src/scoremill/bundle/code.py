"""The modules that a model needs: gathered when it is packed, imported when it is loaded."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from zipfile import ZipFile, is_zipfile

from scoremill.errors import UsageError
from scoremill.storage.hashing import sha256
from scoremill.units import quoted

from .schema import CODE, Bundle


def gather(sources: Sequence[str | Path]) -> dict[str, bytes]:
    """Content by path below `code/` of modules, packages, zip files or wheels, given by path or importable name."""
    files: dict[str, bytes] = {}
    for source in sources:
        files |= dict(_files(_located(source)))
    if builtin := sorted({_top(name) for name in files} & sys.stdlib_module_names):
        raise UsageError(
            f"code named {', '.join(builtin)} would hide Python's own module", "Rename it.", code="InvalidModelCode"
        )
    return files


def roots(sources: Sequence[str | Path]) -> list[str]:
    """What `sys.path` needs for `sources` to be imported where they lie."""
    places = [_located(source) for source in sources]
    return [str(place if place.is_file() and place.suffix != ".py" else place.parent) for place in places]


def modules(bundle: Bundle) -> set[str]:
    """The names of the top-level modules that `bundle` carries."""
    return {_top(name.removeprefix(f"{CODE}/")) for name in bundle.code}


def shadowing(bundle: Bundle, cache: Path) -> list[str]:
    """The top-level modules of `bundle` that are installed here with other content, where bundles lie in `cache`."""
    return [top for top in sorted(modules(bundle)) if _is_installed_otherwise(bundle, top, cache)]


def _is_installed_otherwise(bundle: Bundle, top: str, cache: Path) -> bool:
    try:
        spec = find_spec(top)
    except ValueError:
        # Loaded without being found anywhere: `__main__`, or one that a program made.
        return True
    if spec is None:
        return False
    if not spec.has_location or spec.origin is None:
        return True
    root = Path(spec.origin).parents[1 if spec.submodule_search_locations else 0]
    carried = [name for name in bundle.code if _top(name.removeprefix(f"{CODE}/")) == top]
    return not root.is_relative_to(cache) and any(
        _hash(root / name.removeprefix(f"{CODE}/")) != bundle.files[name] for name in carried
    )


def _hash(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return sha256(file)


def enter(bundle: Bundle, folder: Path) -> None:
    """Make the code of `bundle`, which lies in `folder`, what its names import from here on.

    Modules of the same name and content stay; those of other content are replaced, with a warning: what was loaded
    with them keeps them, but a later import inside it finds the new ones.
    """
    for top in sorted(modules(bundle)):
        loaded = {name for name in sys.modules if name == top or name.startswith(f"{top}.")}
        if all(_is_ours(name, bundle) for name in loaded):
            continue
        warnings.warn(
            f"{bundle.uri} brings its own {quoted(top)}, unlike the one loaded here, and replaces it", stacklevel=2
        )
        for name in loaded:
            del sys.modules[name]
    place = str(folder / CODE)
    if place in sys.path:
        sys.path.remove(place)
    sys.path.insert(0, place)
    importlib.invalidate_caches()


def _is_ours(module: str, bundle: Bundle) -> bool:
    origin = getattr(sys.modules[module], "__file__", None)
    stem = f"{CODE}/{module.replace('.', '/')}"
    wanted = bundle.files.get(f"{stem}.py") or bundle.files.get(f"{stem}/__init__.py")
    if origin is None or wanted is None:
        return origin is None and wanted is None
    return _hash(Path(origin)) == wanted


def _located(source: str | Path) -> Path:
    path = Path(source).resolve()
    if path.exists():
        return path
    try:
        spec = find_spec(str(source))
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise UsageError(
            f"there is no file, package or importable module {quoted(str(source))} to carry as code",
            code="InvalidModelCode",
        )
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations else origin


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path.parent)
            if file.is_file() and _is_carried(PurePosixPath(name)):
                yield name.as_posix(), file.read_bytes()
    elif path.suffix == ".py":
        yield path.name, path.read_bytes()
    elif is_zipfile(path):
        with ZipFile(path) as archive:
            for entry in sorted(archive.namelist()):
                if not entry.endswith("/") and _is_carried(PurePosixPath(entry)):
                    yield entry, archive.read(entry)
    else:
        raise UsageError(
            f"{path.name} is neither a Python file, a package's folder nor a zip file", code="InvalidModelCode"
        )


def _is_carried(name: PurePosixPath) -> bool:
    if name.is_absolute() or ".." in name.parts:
        raise UsageError(f"{name} lies outside its archive", code="InvalidModelCode")
    hidden = any(part.startswith(".") or part == "__pycache__" or part.endswith(".dist-info") for part in name.parts)
    return not hidden and name.suffix not in (".pyc", ".so", ".pyd")


def _top(name: str) -> str:
    return PurePosixPath(PurePosixPath(name).parts[0]).stem
