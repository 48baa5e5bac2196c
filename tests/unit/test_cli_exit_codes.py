"""Exit codes: one list, one order."""

import pytest

from batchd.cli.exit_codes import exit_code


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
