"""When a task's turn comes: a line that can't be meant is refused in words, before anything is planned by it."""

import datetime as dt

import pytest

from batchd.daemon import Schedule, turn_of
from batchd.errors import ConfigError

MOMENT = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 25 * * *", "is higher than the maximum value"),
        ("0 2 * *", "Wrong number of fields; got 4, expected 5"),
        ("0 0 31 2 *", "no day is like that"),
    ],
)
def test_a_cron_line_that_never_comes_is_refused(cron: str, why: str) -> None:
    """Its rows would wait for ever, and nobody would hear of it."""
    with pytest.raises(ConfigError) as refused:
        turn_of(Schedule(cron=cron))

    assert f"cron '{cron}' can't be used: " in refused.value.message
    assert why in refused.value.message
    assert refused.value.next_command.startswith('write it like "0 2 * * *"')


def test_a_rare_day_is_a_day() -> None:
    """The 29th of February comes, some day."""
    turn = turn_of(Schedule(cron="0 0 29 2 *"), "Europe/Berlin")

    assert "2028-02-29T00:00:00+01:00" == turn.get_next_fire_time(None, MOMENT).isoformat()
