"""Times as people say them: how long something took, how long ago it was."""

import datetime as dt

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Below so many of a unit, the next smaller one is told beside it.
_FEW = 10


def lasting(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``: never more exact than a person needs."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return _two(whole, (_HOUR, "h"), (_MINUTE, "min"))
    return _two(whole, (_DAY, "d"), (_HOUR, "h"))


def ago(then: dt.datetime | None, now: dt.datetime) -> str:
    """``3 min ago``; ``never`` of what has not been."""
    return "never" if then is None else f"{lasting((now - then).total_seconds())} ago"


def roughly(seconds: float) -> str:
    """``about 3 h``: of what lies ahead, in one unit."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit * 1.5 or (unit < _DAY and seconds >= unit):
            return f"about {round(seconds / unit)} {name}"
    return "less than a minute"


def _two(whole: int, large: tuple[int, str], small: tuple[int, str]) -> str:
    number, rest = divmod(whole, large[0])
    more = rest // small[0]
    return f"{number} {large[1]} {more} {small[1]}" if more and number < _FEW else f"{number} {large[1]}"
