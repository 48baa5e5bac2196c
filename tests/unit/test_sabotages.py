"""The list of ``scripts/mutants`` fits the code: a sabotage that changes nothing would prove nothing."""

import ast

import pytest

from tests.mutants.sabotages import ROOT, Sabotage, sabotages


@pytest.mark.parametrize("sabotage", sabotages(), ids=lambda one: one.name)
def test_a_sabotage_finds_its_place_and_leaves_python_behind(sabotage: Sabotage) -> None:
    """Its text stands in its file exactly once, what it leaves can be run, and its tests are there."""
    text = (ROOT / sabotage.file).read_text(encoding="utf-8")

    changed = sabotage.applied_to(text)

    assert text != changed
    if sabotage.file.endswith(".py"):
        ast.parse(changed)
    assert all((ROOT / one.partition("::")[0]).exists() for one in sabotage.tests), sabotage.tests


def test_there_are_at_least_twenty() -> None:
    """One for each way that a promise could quietly be given up."""
    listed = sabotages()

    assert len(listed) >= 20
    assert len(listed) == len({one.name for one in listed})
    assert {1, 2, 3, 4, 5, 6, 7, 8, 9} <= {one.promise for one in listed}
