"""The exit codes, and which one a run ends with when several things went wrong."""

from collections.abc import Iterable

DONE = 0
CHECK_FAILED = 1
USAGE = 2
ROWS_LEFT = 3
VENDOR_AUTH = 4
NOT_ENDED = 5
CONFIG = 10
DATABASE = 11
VENDOR_UNREACHABLE = 12
LEASE = 13
BUDGET = 14
HELD = 20
INTERNAL = 70
INTERRUPTED = 130

# What hides the other causes comes first: there is no use in waiting for rows while the key is refused.
_FIRST_TO_LAST = (
    INTERNAL,
    CHECK_FAILED,
    CONFIG,
    DATABASE,
    VENDOR_AUTH,
    VENDOR_UNREACHABLE,
    LEASE,
    BUDGET,
    HELD,
    ROWS_LEFT,
    NOT_ENDED,
)


def exit_code(causes: Iterable[int]) -> int:
    """The one code that several causes end in; 0 where there is none, 70 for one that is not in the list."""
    found = set(causes) - {DONE}
    if found - set(_FIRST_TO_LAST):
        return INTERNAL
    return next((code for code in _FIRST_TO_LAST if code in found), DONE)
