"""Quiet hours: when nothing is claimed, sent or written for a task. What is at the vendor goes on."""

import datetime as dt
import re
from dataclasses import dataclass

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of day to another, on each day; past midnight where the end is the earlier one."""

    start: dt.time
    end: dt.time

    def covers(self, moment: dt.datetime) -> bool:
        """Whether a moment, in the time zone that is meant, is one of them. The start is, the end is not."""
        time = moment.time().replace(tzinfo=None)
        if self.start < self.end:
            return self.start <= time < self.end
        return time >= self.start or time < self.end


def quiet_hours(text: str) -> QuietHours:
    """Reads such as ``22:00-06:00``.

    Raises:
        ValueError: it is not written like that, or the hours have no length.
    """
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        msg = 'expects two times of day, such as "08:00-18:00"'
        raise ValueError(msg)
    hour, minute, last_hour, last_minute = (int(number) for number in found.groups())
    start, end = dt.time(hour, minute), dt.time(last_hour, last_minute)
    if start == end:
        msg = "these hours have no end; to stop a task, pause it: batchd pause TASK"
        raise ValueError(msg)
    return QuietHours(start, end)
