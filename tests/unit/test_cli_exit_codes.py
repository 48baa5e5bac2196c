"""Exit codes: one list, one order."""

import pytest

from batchd.cli.exit_codes import exit_code
from batchd.cli.running import _causes
from batchd.ports import Counts


@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        (set(), 0),
        ({5}, 5),
        ({3, 5}, 3),
        ({20, 3, 5}, 20),
        ({13, 20}, 13),
        ({12, 13, 14}, 12),
        ({4, 12}, 4),
        ({11, 4}, 11),
        ({10, 11}, 10),
        ({1, 10}, 1),
        ({70, 1}, 70),
        ({0, 5}, 5),
        ({99, 5}, 70),
    ],
)
def test_the_cause_that_hides_the_others_is_the_exit_code(causes: set[int], expected: int) -> None:
    """Of several causes the first of 70, 1, 10, 11, 4, 12, 13, 14, 20, 3, 5 counts."""
    assert expected == exit_code(causes)


@pytest.mark.parametrize(
    ("numbers", "open_batches", "expected"),
    [({}, 0, set()), ({}, 1, {11, 12}), ({"tasks_put_off": 1}, 0, {11, 12})],
    ids=["all done", "a batch is open", "rows were not claimed"],
)
def test_what_a_run_got_over_is_no_cause(numbers: dict[str, int], open_batches: int, expected: set[int]) -> None:
    """A busy database or a vendor out of reach counts only where work was left undone."""
    total = Counts(numbers, {11, 12})
    tasks = [{"open_batches": open_batches, "held_batches": 0}]

    assert expected == _causes(total, tasks, left=0, stopped=False)
