"""What `status` tells of a batch that can't go on by itself."""

import re

from tests.acceptance.cli_world import World


def test_status_tells_what_a_batch_waits_for_and_how_long_at_most(empty: World) -> None:
    """Its create is unknown: looked for since when, the next look, and when a person is asked at the latest."""
    empty.make_table(1)
    empty.make_ledger()
    empty.write_config()
    assert empty.run("submit").returncode == 0
    empty.sql("UPDATE batchd_batch SET state = 'submitting', not_before = '2026-11-20 10:01:00.000'")
    empty.sql("UPDATE batchd_batch SET settle_by = '2026-11-20 10:15:00.000'")
    empty.sql("UPDATE batchd_event SET at = '2026-11-20 10:00:00.000' WHERE to_state = 'submitting'")

    (told,) = empty.run_json("status")["waiting"]
    screen = " ".join(empty.run("status").stdout.split())

    waits_for = "the vendor to show whether it was created"
    times = {"waits_since": "10:00:00", "not_before": "10:01:00", "settle_by": "10:15:00"}
    assert {"batch": 1, "task": "people", "state": "submitting", "held_from": None, "waits_for": waits_for} | {
        name: f"2026-11-20T{time}.000Z" for name, time in times.items()
    } == told
    assert re.search(rf"batch 1 waits for {waits_for}, for [\w ]+; about to be held", screen)
