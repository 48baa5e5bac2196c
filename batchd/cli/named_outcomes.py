"""Outcomes as they are typed behind ``--only``."""

import difflib

from batchd.core.outcomes import Outcome
from batchd.errors import UsageError

_CLOSE = 0.6


def outcomes_named(text: str | None) -> tuple[Outcome, ...]:
    """``expired,missing`` as outcomes; none where nothing was said. Raises UsageError with the nearest right names."""
    names = [name.strip().lower() for name in (text or "").split(",") if name.strip()]
    if text is not None and not names:
        raise UsageError("--only names no outcome", next_command=f"some of: {', '.join(Outcome)}")
    for name in names:
        if name not in set(Outcome):
            near = difflib.get_close_matches(name, list(Outcome), n=3, cutoff=_CLOSE)
            raise UsageError(
                f"--only: there is no outcome {name!r}",
                next_command=f"did you mean: {', '.join(near)}" if near else f"some of: {', '.join(Outcome)}",
            )
    return tuple(dict.fromkeys(Outcome(name) for name in names))
