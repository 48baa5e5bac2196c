"""Time zones by name. UTC is known everywhere; a machine without time zone data knows no other."""

import datetime as dt
from zoneinfo import ZoneInfo


def time_zone(name: str) -> dt.tzinfo:
    """The zone of this name. Raises ZoneInfoNotFoundError, ValueError or OSError for one that is not known here."""
    return dt.UTC if name == "UTC" else ZoneInfo(name)
