"""Quantities as Kubernetes writes them."""

from __future__ import annotations

import pytest

from scoremill.kubernetes.diagnosis.quantities import amount, as_text, largest_node
from scoremill.kubernetes.objects import Resource


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("1500m", 1.5),
        ("2", 2),
        (2, 2),
        ("1k", 1000),
        ("4Gi", 4 * 2**30),
        ("500M", 5e8),
        ("1e3", 1000),
        ("128974848", 128974848),
        ("0.5", 0.5),
        ("100n", 1e-7),
    ],
)
def test_a_quantity_is_a_number(quantity: str, expected: float) -> None:
    assert amount(quantity) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "Gi", "4gib", "four", "1 Gi"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Kubernetes quantity"):
        amount(text)


def test_quantities_are_formatted_as_cores_and_bytes() -> None:
    assert as_text("cpu", "1k") == "1,000" and as_text("cpu", "250m") == "0.25"
    assert as_text("memory", "1073741824") == "1 GiB"


def test_largest_schedulable_node_is_found() -> None:
    def node(cpu: str, memory: str, **spec: bool) -> Resource:
        return Resource("Node", "n", spec=spec, status={"allocatable": {"cpu": cpu, "memory": memory}})

    nodes = [node("2", "8Gi"), node("4", "4Gi"), node("64", "512Gi", unschedulable=True)]
    assert largest_node(nodes) == "4 CPU and 8 GiB"
    assert largest_node([]) is None
