"""Every error has a registered code whose exit code is that of its class."""

from __future__ import annotations

import ast
import importlib
import pickle
from collections.abc import Iterator

import pytest

from scoremill import errors
from scoremill.discovery.problem import Problem
from scoremill.errors import ObjectError, ScoremillError, UsageError
from scoremill.errors.registry import error_codes, explain
from scoremill.spec.resources.status import REASON_OF_ERROR, Reason
from scoremill.storage.failures import reasons
from tests.support.jobs import ROOT

SOURCES = [path for folder in ("src", "operator") for path in sorted((ROOT / folder).rglob("*.py"))]
ENGINE: dict[str, type[ScoremillError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ScoremillError)
}


def calls() -> Iterator[tuple[str, type[ScoremillError] | None, str | None]]:
    """Yield place, class (None for a problem found in planning), and literal code of every error that is made."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            given = next((each.value for each in node.keywords if each.arg == "code"), None)
            code = given.value if isinstance(given, ast.Constant) else None
            if node.func.id in ENGINE or node.func.id == Problem.__name__:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", ENGINE.get(node.func.id), code


def subclasses(kind: type[ScoremillError]) -> Iterator[type[ScoremillError]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_codes_at_raise_sites_are_registered_with_the_exit_code_of_their_class() -> None:
    found = list(calls())
    assert len(found) > 250
    for place, kind, code in found:
        entry = error_codes().get(code or (kind.code if kind else errors.FitError.code))
        assert entry, f"{place}: {code} is not in codes.toml"
        assert entry.exit_code == (kind.exit_code if kind else errors.FitError.exit_code), f"{place}: {code}"


def test_codes_of_every_error_class_are_registered() -> None:
    for module in ("scoremill.kubernetes.api", "scoremill.tabular.kinds", "scoremill_operator.reconcile.apply"):
        importlib.import_module(module)
    for kind in (ScoremillError, *subclasses(ScoremillError)):
        assert kind.code in error_codes(), kind
        assert error_codes()[kind.code].exit_code == kind.exit_code, kind


def test_codes_of_storage_errors_are_registered() -> None:
    for code, _ in reasons._KINDS:
        assert error_codes()[code].exit_code == errors.StorageError.exit_code


def test_every_registered_code_is_raised_somewhere() -> None:
    names = {
        node.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(error_codes()) <= names


def test_reasons_of_codes_are_those_of_the_status() -> None:
    for name, reason in REASON_OF_ERROR.items():
        assert error_codes()[ENGINE[name].code].reason == reason
    assert all(entry.reason in {None, *Reason} for entry in error_codes().values())


@pytest.mark.parametrize("entry", error_codes().values(), ids=lambda entry: entry.code)
def test_texts_of_codes_follow_the_form_of_messages(entry) -> None:
    assert entry.code.isidentifier() and entry.code[0].isupper()
    assert entry.cause.endswith(".") and entry.fix.endswith(".")
    assert not entry.example.endswith(".")
    assert len(entry.cause) < 260


def test_code_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(ObjectError("broken", "Repair it.", "InputDamaged", "s3://b/a.csv")))
    assert (error.message, error.hint, error.code, error.uri) == (
        "broken",
        "Repair it.",
        "InputDamaged",
        "s3://b/a.csv",
    )


def test_explain_ignores_case_and_names_a_similar_code() -> None:
    assert explain("outputexists").code == "OutputExists"
    with pytest.raises(UsageError) as similar:
        explain("OutputExist")
    assert "The nearest is OutputExists." in str(similar.value.hint)
    with pytest.raises(UsageError) as unlike:
        explain("xyz")
    assert "nearest" not in str(unlike.value.hint)
