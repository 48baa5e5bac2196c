"""The vendor's limit on enqueued tokens: used, shared and never passed; what it has no room for waits, and is sent."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from batchd.core.model import VendorFault
from batchd.core.quota import TOKEN_LIMIT
from batchd.errors import VendorBusyError
from batchd.pipeline import SENDING, WORKING
from batchd.ports import ConfiguredTask
from tests.fakes.vendor import unclear
from tests.stages.bench import Bench, person_task
from tests.stages.leads import CLAIM, POLL

SUBMIT = SENDING[2]
MODEL = "gpt-6-luna"
# A row's line has some 500 bytes; without batches to learn from, three of them are a token.
ROW = 160
PEOPLE = [f"person number {number:04}" for number in range(40)]


def limit(bench: Bench, tokens: int, **more: Any) -> None:
    """The config says how many tokens may be enqueued."""
    bench.account(enqueued_tokens={MODEL: tokens}, **more)


def counted(bench: Bench) -> dict[int, int]:
    """Tokens by batch."""
    return dict(bench.execute("SELECT batch_id, tokens FROM batchd_enqueued ORDER BY batch_id"))


def enqueued(bench: Bench) -> int:
    """Tokens of batches that are at the vendor."""
    ((tokens,),) = bench.execute(
        "SELECT coalesce(sum(tokens), 0) FROM batchd_enqueued JOIN batchd_batch ON id = batch_id"
        " WHERE state IN ('submitting', 'submitted') OR held_from IN ('submitting', 'submitted')"
    )
    return int(tokens)


def waiting(bench: Bench) -> list[int]:
    """Batches that are marked as waiting for the quota."""
    return [row[0] for row in bench.execute("SELECT batch_id FROM batchd_enqueued WHERE waits_since IS NOT NULL")]


def ready(bench: Bench) -> None:
    """Whatever waits for a time waits no more."""
    bench.execute("UPDATE batchd_batch SET not_before = NULL")


@pytest.fixture
def built(bench: Bench) -> Bench:
    """Five batches of two rows each, built and not sent."""
    bench.configure(batch_size=2)
    bench.add_people(*PEOPLE[:10])
    bench.run(CLAIM)
    assert ["built"] * 5 == bench.states()
    return bench


def test_no_more_is_sent_than_the_limit_allows(built: Bench) -> None:
    """The oldest that fit; the others are marked as waiting, are no error and need nobody."""
    tokens = counted(built)
    limit(built, tokens[1] + tokens[2])

    counts = built.run(SUBMIT)

    assert ["submitted", "submitted", "built", "built", "built"] == built.states()
    assert [3, 4, 5] == waiting(built)
    waits_for = built.execute(
        "SELECT batch, waits_for FROM batchd_v_batches WHERE waits_for IS NOT NULL ORDER BY batch"
    )
    assert [(number, "the vendor's quota") for number in (3, 4, 5)] == waits_for
    assert 3 == counts["batches_waiting"]
    assert ([], set()) == (built.findings(), counts.causes)
    assert not built.run(SUBMIT)


def test_without_a_limit_everything_is_sent(built: Bench) -> None:
    """Nobody has named one."""
    built.run(SUBMIT)

    assert ["submitted"] * 5 == built.states()


def test_what_an_end_frees_is_used_in_the_same_pass_before_results_are_fetched(built: Bench) -> None:
    """The quota must not lie idle while answers are written."""
    limit(built, sum(list(counted(built).values())[:2]))
    built.vendor.statuses = ("validating", "completed")
    built.run(SUBMIT)
    built.vendor.calls.clear()
    ready(built)

    built.run(*WORKING)

    calls = built.vendor.calls
    assert ["closed", "closed", "submitted", "submitted", "built"] == built.states()
    assert calls.index("create_batch") < calls.index("download")


def test_all_rows_come_through_a_narrow_limit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch by batch, the limit kept at every moment, and nothing waits in the end."""
    bench.configure(batch_size=3)
    limit(bench, 5 * ROW)
    bench.add_people(*PEOPLE)
    most: list[int] = []
    create = bench.vendor.create_batch

    def watched(*arguments: Any) -> Any:
        most.append(enqueued(bench))
        return create(*arguments)

    monkeypatch.setattr(bench.vendor, "create_batch", watched)
    bench.run_until_quiet(passes=400)

    assert len(PEOPLE) == sum(done for _, _, _, done in bench.people())
    assert max(most) <= 5 * ROW
    assert (0, []) == (enqueued(bench), waiting(bench))


def test_files_are_packed_so_that_several_share_the_limit(bench: Bench) -> None:
    """A fair part of it each, and a single row where even that is more; without a limit the batch size counts."""
    bench.configure(batch_size=100, max_open_batches=6)
    bench.add_people(*PEOPLE)
    limit(bench, 24 * ROW)
    bench.run(CLAIM)
    four = sum(list(counted(bench).values())[:4])

    assert 20 * ROW < four <= 24 * ROW
    assert all(requests > 1 for (requests,) in bench.execute("SELECT requests FROM batchd_batch"))


@pytest.mark.parametrize(("tokens", "rows"), [(1, 1), (None, len(PEOPLE))])
def test_a_row_that_is_more_than_its_part_goes_alone(bench: Bench, tokens: int | None, rows: int) -> None:
    """It would never be sent otherwise."""
    bench.configure(batch_size=100)
    bench.add_people(*PEOPLE)
    if tokens is not None:
        limit(bench, tokens)
    bench.run(CLAIM, SUBMIT)

    assert (rows, "submitted") == bench.execute("SELECT requests, state FROM batchd_batch")[0]
    assert ["submitted"] == [state for state in bench.states() if state != "built"]


def test_tasks_share_the_limit_by_their_weights(bench: Bench) -> None:
    """Twice the weight, twice the tokens, though the other task's batches are older."""
    light = ConfiguredTask(person_task(name="light", pending="id <= 16"), batch_size=1, max_open_batches=16)
    heavy = ConfiguredTask(person_task(name="heavy", pending="id > 16"), batch_size=1, max_open_batches=16, weight=2.0)
    bench.place = replace(bench.place, tasks={"light": light, "heavy": heavy}, configured=frozenset({"light", "heavy"}))
    bench.add_people(*PEOPLE[:32])
    bench.run(CLAIM)
    limit(bench, 9 * max(counted(bench).values()))
    bench.run(SUBMIT)

    sent = bench.execute(
        "SELECT name FROM batchd_task t JOIN batchd_batch b ON t.id = task_id WHERE state = 'submitted'"
    )
    assert Counter(light=3, heavy=6) == Counter(row[0] for row in sent)


def test_a_paused_task_keeps_nobody_waiting(built: Bench) -> None:
    """What can't be sent now takes no room and no turn."""
    limit(built, max(counted(built).values()))
    built.run(SUBMIT)
    built.execute("UPDATE batchd_task SET paused = 1")
    built.execute("UPDATE batchd_batch SET state = 'ended' WHERE id = 1")

    built.run(SUBMIT)

    assert (0, ["built"] * 4) == (enqueued(built), built.states()[1:])


def test_an_unknown_create_takes_its_room_until_it_is_settled(built: Bench) -> None:
    """The vendor may count it; known not to be there, it takes none."""
    limit(built, max(counted(built).values()))
    built.vendor.fail_next("create_batch", unclear(), after=True)
    built.run(SUBMIT)

    built.run(SUBMIT)

    assert ["submitting", *["built"] * 4] == built.states()


def test_a_refused_create_takes_no_room(built: Bench) -> None:
    """The next one in line is sent in the next pass, though the first waits for its next try."""
    limit(built, max(counted(built).values()))
    built.place = replace(built.place, check_interval=60.0)
    built.vendor.fail_next("create_batch", VendorBusyError("busy", code="rate_limit_exceeded"))
    built.run(SUBMIT)

    built.run(SUBMIT)

    assert ["built", "submitted", "built", "built", "built"] == built.states()


def test_fewer_batches_an_hour_are_created_than_the_vendor_allows(built: Bench) -> None:
    """The others wait, and go on when the hour is over."""
    built.account(max_batches_per_hour=2)
    built.run(SUBMIT)
    first = built.states().count("submitted")
    ready(built)
    built.run(SUBMIT)
    second = built.states().count("submitted")
    built.execute("UPDATE batchd_enqueued SET reserved_at = '2026-01-01 00:00:00.000' WHERE batch_id = 1")
    ready(built)
    built.run(SUBMIT)

    assert (2, 2, 3) == (first, second, built.states().count("submitted"))


# --- the limit is learnt


def refuse(bench: Bench, message: str) -> None:
    """The vendor refuses batches for their tokens, in its words."""
    bench.vendor.faults = (VendorFault(TOKEN_LIMIT, None, None, message),)
    bench.vendor.statuses = ("validating", "failed")


def test_a_limit_that_the_vendor_names_is_kept_from_then_on(built: Bench) -> None:
    """Rows of what was refused are not charged with a try, and all are applied."""
    told = sum(list(counted(built).values())[:2])
    refuse(built, f"Enqueued token limit reached for {MODEL} in organization org-1. Limit: {told} enqueued tokens.")
    built.run(SUBMIT)
    built.vendor.statuses = ("validating", "in_progress", "completed")
    ready(built)
    built.run(*WORKING)
    ready(built)
    built.run(SUBMIT)

    assert [(told, 1)] == built.execute("SELECT learnt_tokens, told FROM batchd_quota")
    assert 0 < enqueued(built) <= told
    built.run_until_quiet(passes=200)
    assert 10 == sum(done for _, _, _, done in built.people())
    assert {1} == set(built.vendor.paid.values())


def test_a_refusal_without_a_number_lowers_the_limit_all_the_same(built: Bench) -> None:
    """By a fifth of what was there; the batch waits and is sent again."""
    total = sum(counted(built).values())
    refuse(built, "The number of enqueued tokens has surpassed the configured limit.")
    built.run(SUBMIT)
    ready(built)

    built.run(*WORKING)

    ((learnt, told),) = built.execute("SELECT learnt_tokens, told FROM batchd_quota")
    assert 0 == told
    assert max(counted(built).values()) <= learnt <= 0.8 * total
    assert ["built"] * 5 == built.states()


def test_a_create_that_is_refused_for_its_tokens_teaches_the_same(built: Bench) -> None:
    """As Azure does it, with the number where it says it."""
    told = max(counted(built).values()) + 1
    built.vendor.fail_next("create_batch", VendorBusyError("too many", code=TOKEN_LIMIT, token_limit=told))

    built.run(SUBMIT)

    assert [(told, 1)] == built.execute("SELECT learnt_tokens, told FROM batchd_quota")
    assert "built" == built.states()[0]
    assert [] == built.findings()


@pytest.mark.parametrize("by_create", [True, False])
def test_a_batch_that_is_larger_than_the_limit_goes_again_in_smaller_ones(bench: Bench, *, by_create: bool) -> None:
    """It would be refused for ever; its rows lose no try that counts."""
    bench.configure(batch_size=100)
    bench.add_people(*PEOPLE[:20])
    bench.run(CLAIM)
    told = counted(bench)[1] // 3
    if by_create:
        bench.vendor.fail_next("create_batch", VendorBusyError("too many", code=TOKEN_LIMIT, token_limit=told))
        bench.run(SUBMIT)
    else:
        refuse(bench, f"Limit: {told} enqueued tokens.")
        bench.run(SUBMIT, POLL, *WORKING)
        bench.vendor.statuses = ("validating", "in_progress", "completed")
    assert [bench.states()[0]] == ["abandoned" if by_create else "failed"]
    bench.run_until_quiet(passes=300)

    assert 20 == sum(done for _, _, _, done in bench.people())
    assert {1} == set(bench.vendor.paid.values())
    assert max(list(counted(bench).values())[1:]) <= told
    assert [] == bench.findings()


def test_a_learnt_limit_is_tried_higher_while_batches_wait_for_it(built: Bench) -> None:
    """After a while without refusals; never past the config's."""
    tokens = max(counted(built).values())
    limit(built, 3 * tokens)
    built.run(SUBMIT)
    built.execute("UPDATE batchd_quota SET learnt_tokens = ?, learnt_at = '2026-01-01 00:00:00.000'", tokens)

    built.run(SUBMIT)

    ((raised,),) = built.execute("SELECT learnt_tokens FROM batchd_quota")
    assert tokens < raised < 1.1 * tokens


def test_estimates_follow_what_the_vendor_counts(bench: Bench) -> None:
    """The first guess is cautious; what has ended tells more, also of batches that were built before."""
    bench.configure(batch_size=2)
    bench.add_people(*PEOPLE[:4])
    bench.run(CLAIM)
    first = counted(bench)[2]
    bench.execute("UPDATE batchd_batch SET not_before = '2100-01-01 00:00:00.000' WHERE id = 2")
    bench.check_until("closed", "built", stages=WORKING)
    ready(bench)
    bench.run(SUBMIT)

    ((told, size),) = bench.execute("SELECT input_tokens, input_bytes FROM batchd_batch WHERE id = 1")
    ((other,),) = bench.execute("SELECT input_bytes FROM batchd_batch WHERE id = 2")
    assert told > 0
    assert pytest.approx(other * told / size, rel=0.1) == counted(bench)[2] != first


def test_batches_of_an_older_batchd_are_counted_when_they_are_sent(built: Bench) -> None:
    """An upgrade leaves built ones without a figure."""
    built.execute("DELETE FROM batchd_enqueued")

    built.run(SUBMIT)

    assert ["submitted"] * 5 == built.states()
    assert 5 == len(counted(built))


def seconds(bench: Bench, *days: str) -> list[float]:
    """Times of batch 1, or of the database's clock, that SQL gives as days."""
    ((*found,),) = bench.execute(f"SELECT {', '.join(days)} FROM batchd_batch WHERE id = 1")
    return [one * 86_400 for one in found]


@pytest.mark.parametrize(("is_full", "pause"), [(True, 60), (False, 600)])
def test_batches_whose_tokens_are_wanted_are_looked_at_more_often(built: Bench, *, is_full: bool, pause: float) -> None:
    """An hour old, a batch is looked at every minute while others wait for its tokens, and every ten if none do."""
    if is_full:
        limit(built, max(counted(built).values()))
    built.run(SUBMIT)
    built.place = replace(built.place, check_interval=50.0)
    built.execute("UPDATE batchd_batch SET submitted_at = strftime('%Y-%m-%d %H:%M:%f', 'now', '-3000 seconds')")
    ready(built)

    (before,) = seconds(built, "julianday('now')")
    built.run(POLL)
    after, looked_at_again = seconds(built, "julianday('now')", "julianday(not_before)")

    # It gets older while it is looked at.
    slack = 0.1 + (after - before) / 50
    assert before + pause - slack <= looked_at_again <= after + pause + slack
