"""Each act of a person: foreseen without a trace, on record once with its reason, finished by itself after a kill."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from batchd import failpoints
from batchd.core.model import VendorBatch
from batchd.core.outcomes import Outcome
from batchd.errors import BatchdError, LeaseLostError, UsageError, VendorUnreachableError
from batchd.operations import (
    Prospect,
    ReapplyOrder,
    RetryOrder,
    abandon,
    adopt,
    cancel,
    foresee_abandon,
    foresee_adopt,
    foresee_cancel,
    foresee_pause,
    foresee_resolve,
    foresee_resume,
    foresee_retry,
    foresee_send_again,
    pause,
    reapply,
    resolve,
    resume,
    retry,
    send_again,
)
from batchd.pipeline import SENDING
from batchd.ports import Workplace
from tests.fakes.answers import answered
from tests.stages.bench import GOOD_ANSWER, Bench, person_task
from tests.stages.leads import built, held_short, held_unknown, held_vanished, submitted
from tests.stages.test_operations_matrix import ALLOWED, COSTS, WHAT_MAY_BE_DONE, begin, finish, ledger


def at_vendor(place: Workplace) -> str:
    batches = place.accounts["fake"].vendor.batches()  # type: ignore[attr-defined]
    return batches[0].id if batches else "batch_77"


# By name: what foresees it, and the act itself with a reason.
ACTS: dict[str, tuple[Callable[[Workplace], Prospect], Callable[[Workplace], object]]] = {
    "cancel": (lambda place: foresee_cancel(place, "1"), lambda place: cancel(place, "1", reason="why")),
    "resolve": (lambda place: foresee_resolve(place, "1"), lambda place: resolve(place, "1", reason="why")),
    "give up": (lambda place: foresee_abandon(place, "1"), lambda place: abandon(place, "1", reason="why")),
    "send again": (lambda place: foresee_send_again(place, "1"), lambda place: send_again(place, "1", reason="why")),
    "adopt": (
        lambda place: foresee_adopt(place, "1", at_vendor(place)),
        lambda place: adopt(place, "1", at_vendor(place), reason="why"),
    ),
}
ACTION = {"cancel": "cancel", "resolve": "resolve", "give up": "resolve", "send again": "resolve", "adopt": "resolve"}


def acts_on_record(bench: Bench) -> list[Any]:
    """(action, subject, from, to, reason) of each act of a person."""
    return bench.execute(
        "SELECT action, subject, from_state, to_state, reason FROM batchd_event"
        " WHERE action IN ('pause', 'resume', 'cancel', 'retry', 'reapply', 'resolve') ORDER BY id"
    )


@pytest.mark.parametrize("lead", ALLOWED, ids=lambda lead: lead.__name__)
def test_a_dry_run_refuses_what_the_act_refuses(bench: Bench, lead: Callable[[Bench], None]) -> None:
    """Same error, same next command, same exit code; and no entry on record."""
    begin(bench, lead)
    earlier = acts_on_record(bench)

    for name in ACTS.keys() - ALLOWED[lead].keys():
        foresee, act = ACTS[name]
        refused = refusal(lambda: foresee(bench.place))  # noqa: B023 - called at once
        assert refused is not None, name
        assert refused == refusal(lambda: act(bench.place)), name  # noqa: B023 - called at once

    assert earlier == acts_on_record(bench)


@WHAT_MAY_BE_DONE
def test_a_dry_run_leaves_no_trace_and_the_act_leaves_one(
    bench: Bench, lead: Callable[[Bench], None], name: str
) -> None:
    """Ledger, leases and vendor stay as they are; then the act is on record once, with its reason."""
    begin(bench, lead)
    foresee, act = ACTS[name]
    before, there, earlier = ledger(bench), at_vendor_now(bench), acts_on_record(bench)

    seen = foresee(bench.place)
    assert (before, there) == (ledger(bench), at_vendor_now(bench))
    act(bench.place)

    assert ALLOWED[lead][name] == (seen.may_cost and COSTS in seen.sentence), seen.sentence
    assert seen.asks or not seen.may_cost
    ((action, *_, reason),) = acts_on_record(bench)[len(earlier) :]
    assert ACTION[name] == action
    assert reason.endswith(": why")


def at_vendor_now(bench: Bench) -> tuple[list[str], list[str], int]:
    """Batches, files, and how often it was asked to cancel something."""
    return (
        [one.id for one in bench.vendor.batches()],
        list(bench.vendor.files),
        bench.vendor.calls.count("cancel_batch"),
    )


def refusal(act: Callable[[], object]) -> tuple[type, int, str, str] | None:
    """How it was refused; None where it was not."""
    try:
        act()
    except BatchdError as error:
        return type(error), error.exit_code, error.message, error.next_command
    return None


def test_a_dry_run_is_refused_where_another_process_is_at_work(bench: Bench) -> None:
    """Exit code 13, as the act itself."""
    begin(bench, submitted)
    bench.place.store.transact(lambda ledger: ledger.batches.take_lease(1, "a daemon", 60.0))

    with pytest.raises(LeaseLostError, match="another batchd is at work on batch 1"):
        foresee_cancel(bench.place, "1")


def test_what_is_foreseen_of_a_batch_names_its_rows_and_what_they_cost_at_most(bench: Bench) -> None:
    """Keys, the batch, and a figure where params bound the answer."""
    task = person_task(params={"max_completion_tokens": 100})
    bench.configure(definition=task)
    begin(bench, held_vanished)

    seen = foresee_abandon(bench.place, "1")

    assert ("1", "2") == tuple(row.key for row in seen.rows)
    assert (2, True, True) == (seen.all_rows, seen.may_cost, seen.asks)
    assert [1] == [batch.id for batch in seen.batches]
    assert seen.cost is not None
    # Two rows, three tries each, a hundred tokens out and some in.
    assert 600 < seen.cost < 2000


def with_failures(bench: Bench) -> None:
    """Row 1 is invalid, row 2 truncated, row 3 was cancelled before it ran, row 4 too."""
    bench.configure(definition=person_task(max_attempts=1), batch_size=2)
    bench.vendor.script = answered("not valid")
    bench.add_people("one", "two", "three", "four")
    bench.run(SENDING[1])
    cancel(bench.place, "2")
    bench.run_until_quiet()
    bench.execute("UPDATE batchd_gate SET outcome = 'truncated' WHERE key_int = 2")
    assert {1: "failed", 2: "failed", 3: "held", 4: "held"} == bench.gates()


@pytest.mark.parametrize(
    ("order", "freed"),
    [
        (RetryOrder(), {1, 2, 3, 4}),
        (RetryOrder(only=[Outcome.CANCELLED]), {3, 4}),
        (RetryOrder(only=[Outcome.INVALID, Outcome.TRUNCATED]), {1, 2}),
        (RetryOrder(only=[Outcome.EXPIRED]), set()),
        (RetryOrder(keys=["2", "3", "3"]), {2, 3}),
        (RetryOrder(keys=["2", "3"], only=[Outcome.CANCELLED]), {3}),
    ],
)
def test_a_retry_frees_what_was_foreseen_and_is_on_record_once(
    bench: Bench, order: RetryOrder, freed: set[int]
) -> None:
    """By outcome, by key, or both; the one entry says how many, of what, and why."""
    with_failures(bench)
    before = ledger(bench)
    order = replace(order, reason="prompt mended")

    seen = foresee_retry(bench.place.store, bench.place.prices, "people", person_task(), order)
    assert before == ledger(bench)
    done = retry(bench.place.store, "people", person_task(), order)

    assert (
        freed == {int(row.key) for row in seen.rows} == {key for key, gate in bench.gates().items() if gate == "retry"}
    )
    assert len(freed) == seen.number == seen.all_rows == done.number
    entries = [entry for entry in acts_on_record(bench) if entry[0] == "retry"]
    assert bool(freed) == len(entries)
    for _, subject, _, _, reason in entries:
        assert "task" == subject
        assert re.fullmatch(rf"{len(freed)} rows? due again \(.+\): prompt mended", reason)


def test_a_retry_says_what_was_paid_and_what_was_not(bench: Bench) -> None:
    """Two answers were paid for, two rows never ran."""
    with_failures(bench)

    done = retry(bench.place.store, "people", person_task(), RetryOrder())

    assert "4 rows of task people are due again" in done.sentence
    assert "the last tries of 2 of them were paid for, and each may be paid for again" in done.sentence


@pytest.mark.parametrize("only", [[Outcome.GONE], [Outcome.APPLIED]])
def test_rows_that_are_gone_or_written_are_not_freed_by_their_outcome(bench: Bench, only: list[Outcome]) -> None:
    """Wrong usage; of what was written each is named by its key."""
    with_failures(bench)

    with pytest.raises(UsageError):
        retry(bench.place.store, "people", person_task(), RetryOrder(only=only))
    with pytest.raises(UsageError):
        foresee_retry(bench.place.store, bench.place.prices, "people", person_task(), RetryOrder(only=only))


def test_pause_and_resume_are_foreseen_and_on_record(bench: Bench) -> None:
    """One entry each, with the reason; a task that goes on already is left alone."""
    bench.add_people("one")
    bench.run(*SENDING)
    before = ledger(bench)
    assert "1 open batch would still be polled" in foresee_pause(bench.place.store, "people").sentence
    assert 0 == foresee_resume(bench.place.store, "people").number
    assert 0 == resume(bench.place.store, "people", "nothing").number
    assert before == ledger(bench)

    pause(bench.place.store, "people", "month end")
    assert 1 == foresee_resume(bench.place.store, "people").number
    resume(bench.place.store, "people", "over")

    assert [("pause", "task", None, None, "month end"), ("resume", "task", None, None, "over")] == acts_on_record(bench)


def unpaid_task(bench: Bench) -> None:
    """One pending row, in a task that a billing stop has paused."""
    bench.add_people("one")
    bench.run(SENDING[1])
    unpaid(bench)


def test_a_billing_stop_that_was_unpaused_by_sql_ends_as_the_vendor_takes_a_batch(bench: Bench) -> None:
    """The UPDATE lets the task go on; that the vendor takes its batch says that the stop is over."""
    unpaid_task(bench)
    bench.execute("UPDATE batchd_task SET paused = 0, pause_reason = ''")
    assert [("billing-stop", "task people")] == bench.findings()

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_a_resume_ends_the_finding_of_a_billing_stop_that_was_unpaused_by_sql(bench: Bench) -> None:
    """Before the vendor has taken a batch: on record as any resume."""
    unpaid_task(bench)
    bench.execute("UPDATE batchd_task SET paused = 0, pause_reason = ''")

    done = resume(bench.place.store, "people", "paid")

    assert 1 == done.number
    assert [] == bench.findings()
    assert [("resume", "task", None, None, "paid")] == acts_on_record(bench)


def test_a_batch_that_was_in_hand_when_the_money_ended_leaves_the_billing_stop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two creates side by side: one is taken while the other one's refusal has just paused the task."""
    create = bench.vendor.create_batch

    def create_meanwhile(*arguments: Any) -> VendorBatch:
        unpaid(bench)
        return create(*arguments)

    monkeypatch.setattr(bench.vendor, "create_batch", create_meanwhile)
    bench.add_people("one")
    bench.run(*SENDING)

    assert [("submitted",)] == bench.execute("SELECT state FROM batchd_batch")
    assert [("billing-stop", "task people")] == bench.findings()


def unpaid(bench: Bench) -> None:
    """What the refusal of another batch leaves behind."""
    bench.place.store.transact(lambda ledger: ledger.tasks.pause(1, "out of money"))
    bench.place.store.transact(lambda ledger: ledger.findings.open("billing-stop", "task people"))


def test_a_reapply_is_on_record_once_with_how_many(bench: Bench) -> None:
    """However many transactions it takes; a dry run leaves nothing."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = answered("no JSON")
    bench.add_people("one", "two")
    bench.run_until_quiet()
    bench.place = replace(bench.place, chunk=1)
    good = GOOD_ANSWER.replace('"', '\\"')
    bench.execute("UPDATE batchd_content SET body = replace(body, 'no JSON', ?) WHERE kind = 'line'", good)
    order = ReapplyOrder(reason="widened")

    _, told = reapply(bench.place, "people", person_task(), replace(order, dry_run=True))
    assert [] == acts_on_record(bench)
    reapply(bench.place, "people", person_task(), order)

    assert [("1", "applied"), ("2", "applied")] == [(row.key, row.outcome) for row in told.rows]
    ((action, subject, *_, reason),) = acts_on_record(bench)
    assert ("reapply", "task") == (action, subject)
    assert reason.startswith("2 kept answers to be written")
    assert reason.endswith(": widened")


class KilledError(BaseException):
    """Stands for SIGKILL: no handler of ours catches it."""


@pytest.mark.parametrize(
    ("lead", "name", "point"),
    [
        (lead, name, f"operate.{when}")
        for lead, name, steps in (
            (submitted, "cancel", ("cancel_meant", "cancel_batch", "cancel_asked")),
            (built, "cancel", ("cancel",)),
            (held_vanished, "give up", ("give_up",)),
            (held_unknown, "give up", ("delete_file", "give_up")),
            (held_short, "resolve", ("resolve",)),
        )
        for when in steps
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_an_act_that_was_killed_is_finished_by_the_same_act(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, lead: Callable[[Bench], None], name: str, point: str
) -> None:
    """Before each of its parts; the rows come to one end, and the trail names the act."""
    begin(bench, lead)
    before = failpoints.before

    def killed(step: str) -> None:
        if step == point:
            raise KilledError
        before(step)

    with monkeypatch.context() as armed:
        armed.setattr(failpoints, "before", killed)
        with pytest.raises(KilledError):
            ACTS[name][1](bench.place)

    ACTS[name][1](bench.place)
    finish(bench)

    assert set(bench.states()) <= {"closed", "failed", "abandoned"}
    assert ACTION[name] in {action for action, *_ in acts_on_record(bench)}
    assert {"held"} >= set(bench.gates().values())


def test_a_cancel_that_the_vendor_never_heard_is_on_record_and_can_be_said_again(bench: Bench) -> None:
    """The trail says whose word it was, whatever came of it."""
    begin(bench, submitted)
    bench.vendor.fail_next("cancel_batch", VendorUnreachableError("no route"))

    with pytest.raises(VendorUnreachableError):
        cancel(bench.place, "1", reason="wrong prompt")
    assert ["the vendor is asked to cancel it: wrong prompt"] == [reason for *_, reason in acts_on_record(bench)]
    cancel(bench.place, "1")
    finish(bench)

    assert ["cancelled"] == [one.status for one in bench.vendor.batches()]
    assert ["closed"] == bench.states()
