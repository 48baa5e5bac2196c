"""The ledger's tasks, findings and kept content."""

from batchd.core.model import Batch, Kept
from batchd.core.outcomes import GateState
from batchd.ports import Ledger
from tests.conformance.ledger_steps import settle, settled
from tests.conformance.stores import Desk


def test_content_is_kept_in_its_own_place(desk: Desk, batch: Batch) -> None:
    """By kind, in the order of requests and parts; any text of any length."""
    pieces = [
        Kept(2, "line", "é漢😀\n", 1),
        Kept(2, "line", "x" * 1_000_000),
        Kept(1, "line", ""),
        Kept(1, "before", "{}"),
    ]

    desk.store.transact(lambda ledger: ledger.contents.keep(batch.id, pieces))

    found = desk.store.read(lambda ledger: ledger.contents.read(batch.id, "line"))
    assert [pieces[2], pieces[1], pieces[0]] == found
    assert desk.store.read(lambda ledger: ledger.contents.read(batch.id, "stranger")) == []


def test_a_finding_is_open_once_and_can_come_back(desk: Desk) -> None:
    """Raised twice it is one; closed it may be raised again."""

    def tell(step: str) -> bool:
        def told(ledger: Ledger) -> bool:
            act = ledger.findings.open if step == "open" else ledger.findings.close
            return act("overdue", "batch 12")

        return desk.store.transact(told)

    assert [tell(step) for step in ("open", "open", "close", "close", "open")] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert desk.db.execute("SELECT count(*), count(closed_at) FROM batchd_finding") == [(2, 1)]
    assert desk.db.execute("SELECT DISTINCT next_command FROM batchd_finding") == [("batchd show 12",)]
    assert desk.store.read(lambda ledger: ledger.findings.is_open("overdue", "batch"))
    assert not desk.store.read(lambda ledger: ledger.findings.is_open("overdue", "b%"))
    assert not desk.store.read(lambda ledger: ledger.findings.is_open("stranger", "batch"))


def test_a_task_has_open_work_until_every_gate_is_done(desk: Desk, batch: Batch) -> None:
    """A failed row waits for a person; a done one waits for nobody."""

    def is_open() -> bool:
        return desk.store.read(lambda ledger: ledger.tasks.has_open_work(desk.task_id))

    settle(desk, batch, settled(1, GateState.DONE), settled(2, None), settled(3, GateState.FAILED))
    desk.store.transact(lambda ledger: ledger.batches.abandon(batch, "given up"))
    assert is_open()
    settle(desk, batch, settled(3, GateState.DONE))
    assert not is_open()


def test_a_task_keeps_its_work_under_a_new_name_or_table(desk: Desk) -> None:
    """A new fingerprint forgets the resume point; each is told."""

    def step(ledger: Ledger) -> None:
        ledger.tasks.set_resume_key(desk.task_id, 7)
        ledger.tasks.record_sweep(desk.task_id, 5)
        ledger.tasks.rename(desk.task_id, "renamed")

    desk.store.transact(step)
    before = desk.store.read(lambda ledger: ledger.tasks.find("renamed"))
    desk.store.transact(lambda ledger: ledger.tasks.set_fingerprint(desk.task_id, "other"))
    after = desk.store.read(lambda ledger: ledger.tasks.find("renamed"))

    assert before is not None
    assert after is not None
    assert (desk.task_id, 7, desk.definition.fingerprint) == (
        before.id,
        before.resume_key,
        before.fingerprint,
    )
    assert (desk.task_id, None, "other") == (after.id, after.resume_key, after.fingerprint)
    assert [event[1] for event in desk.events()] == ["renamed", "rebound"]
    since = desk.store.read(lambda ledger: ledger.tasks.seconds_since_sweep(desk.task_id))
    assert since is not None
    assert 0 <= since < 60
    assert desk.store.read(lambda ledger: ledger.tasks.find("items")) is None


def test_a_paused_task_is_paused_for_everyone(desk: Desk) -> None:
    """With the reason, until somebody lets it go on."""
    desk.store.transact(lambda ledger: ledger.tasks.pause(desk.task_id, "no money"))
    paused = desk.store.read(lambda ledger: ledger.tasks.find("items"))
    desk.store.transact(lambda ledger: ledger.tasks.unpause(desk.task_id, "paid"))
    free = desk.store.read(lambda ledger: ledger.tasks.find("items"))

    assert paused is not None
    assert free is not None
    assert (paused.paused, paused.pause_reason) == (True, "no money")
    assert (free.paused, free.pause_reason) == (False, "")
    assert [(event[1], event[4]) for event in desk.events()] == [("paused", "no money"), ("resumed", "paid")]
