"""One query per rule of the audit: what it finds breaks a promise. Portable SQL, with no write and no lock.

Every query gives ``task_id`` and ``batch_id``, and of a row also ``seq`` and the parts of its key.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from batchd.core.outcomes import RULES, GateState, Limits, Outcome
from batchd.core.states import ENDED_AT_VENDOR, ENDS, OPEN, BatchState
from batchd.ports.audit import Rule
from batchd.store import tables
from batchd.store.batch_rows import SUMS
from batchd.store.expressions import total

_batch, _request, _gate, _content = tables.batch, tables.request, tables.gate, tables.content

_OPEN_STATES = sorted(state.value for state in OPEN)
_END_STATES = sorted(state.value for state in ENDS)
_ENDED_AT_VENDOR = sorted(state.value for state in ENDED_AT_VENDOR)
_AT_VENDOR = ["submitted", "ended", "collected", "closed", "failed"]
_KEPT = sorted(outcome.value for outcome, rule in RULES.items() if rule.keeps_result)
_NOT_RETRIED = sorted(outcome.value for outcome, rule in RULES.items() if not rule.retried)
_NEVER_SENT = [Outcome.UNRENDERABLE.value, Outcome.TOO_LARGE.value]
_COUNTED = tuple(outcome.value for outcome in tables.REQUEST_OUTCOMES)

_is_open = _request.c.outcome.is_(None)
_is_applied = _request.c.outcome == Outcome.APPLIED.value
_gate_is_open = _gate.c.state == GateState.OPEN.value
_points = sa.and_(_gate.c.batch_id == _request.c.batch_id, _gate.c.seq == _request.c.seq)
_same_row = sa.and_(_gate.c.key_int == _request.c.key_int, _gate.c.key_hash == _request.c.key_hash)
_same_task = _gate.c.task_id == _batch.c.task_id
# Requests of a batch have left the ledger, as configured; its own counts stay.
_trimmed = sa.exists().where(tables.retention.c.batch_id == _batch.c.id, tables.retention.c.trimmed_at.is_not(None))
_requests = _request.join(_batch, _batch.c.id == _request.c.batch_id)
# Where a batch stands on its way, also while it is held.
position = sa.func.coalesce(_batch.c.held_from, _batch.c.state)


def ungated_requests() -> Select[Any]:
    """Promise 1: a request without an outcome has one open gate, its row's, that points to it."""
    gated = sa.exists().where(_points, _same_row, _same_task, _gate_is_open)
    return _of_request().where(_batch.c.state.in_(_OPEN_STATES), _is_open, ~gated)


def loose_gates() -> Select[Any]:
    """Promise 1: an open gate points to its row's request, which has no outcome, in an open batch."""
    asked = (
        sa.select(_request.c.seq)
        .select_from(_requests)
        .where(_points, _same_row, _same_task, _is_open, _batch.c.state.in_(_OPEN_STATES))
        .correlate(_gate)
    )
    return _of_gate().where(_gate_is_open, ~asked.exists())


def two_open_requests() -> Select[Any]:
    """Promise 1: no two requests of one task without an outcome are for one row."""
    row = (_batch.c.task_id, _request.c.key_int, _request.c.key_hash)
    newest = [sa.func.max(_request.c[name]).label(name) for name in ("batch_id", "seq", "key_text")]
    rows = sa.select(*row, *newest).select_from(_requests)
    return rows.where(_batch.c.state.in_(_OPEN_STATES), _is_open).group_by(*row).having(sa.func.count() > 1)


def shared_vendor_ids() -> Select[Any]:
    """Promise 2: no two batches have one id at one account."""
    other = _batch.alias("other")
    earlier = sa.exists().where(
        other.c.vendor_batch_id == _batch.c.vendor_batch_id,
        other.c.account_fingerprint == _batch.c.account_fingerprint,
        other.c.id < _batch.c.id,
    )
    return _of_batch().where(earlier)


def unrecorded_sends() -> Select[Any]:
    """Promise 2: what was sent has the intent written down, and what came of it the vendor's id."""
    no_intent = sa.or_(_batch.c.intent_at.is_(None), _batch.c.attempt < 1)
    no_id = sa.or_(_batch.c.vendor_batch_id.is_(None), _batch.c.submitted_at.is_(None))
    return _of_batch().where(
        sa.or_(
            sa.and_(position.in_(_AT_VENDOR), sa.or_(no_intent, no_id)),
            sa.and_(position == BatchState.SUBMITTING.value, no_intent),
        )
    )


def sent_but_built() -> Select[Any]:
    """Promise 2: a batch that stands to be sent has no id at the vendor."""
    return _of_batch().where(position == BatchState.BUILT.value, _batch.c.vendor_batch_id.is_not(None))


def results_not_kept() -> Select[Any]:
    """Promise 3: a line that is not applied is kept; of a conflict both are."""
    # The refusal of a whole batch names lines and has none.
    ran = sa.or_(_batch.c.vendor_status.is_(None), sa.func.lower(_batch.c.vendor_status) != "failed")
    both = sa.and_(_request.c.outcome == Outcome.CONFLICT.value, ~_has("line", part=1))
    return _of_request().where(_request.c.outcome.in_(_KEPT), ran, sa.or_(~_has("line"), both))


def deleted_too_early() -> Select[Any]:
    """Promise 3: nothing at the vendor is deleted before the batch is closed."""
    files = tables.vendor_files
    ended = sa.and_(_batch.c.state.in_(_ENDED_AT_VENDOR), _batch.c.closed_at <= files.c.deleted_at)
    deleted = files.join(_batch, _batch.c.id == files.c.batch_id)
    return _of_batch().select_from(deleted).where(files.c.deleted_at.is_not(None), ~ended)


def no_before_image() -> Select[Any]:
    """Promise 4: what was written has what stood there before."""
    return _of_request().where(_is_applied, ~_has("before"))


def outcomes_taken_back() -> Select[Any]:
    """Promise 4: an outcome is given with its time, and neither is ever taken back."""
    undone = sa.and_(_is_open, _request.c.finished_at.is_not(None))
    timeless = sa.and_(_request.c.outcome.is_not(None), _request.c.finished_at.is_(None))
    return _of_request().where(sa.or_(undone, timeless))


def applied_due_again() -> Select[Any]:
    """Promise 4: the row of an applied request is asked again only when a person frees it, with fresh tries."""
    waits = sa.and_(_gate.c.state == GateState.RETRY.value, _gate.c.paid_tries + _gate.c.unpaid_tries > 0)
    failed = sa.and_(_gate.c.state == GateState.FAILED.value, _gate.c.outcome.not_in(_NEVER_SENT))
    held = _gate.c.state == GateState.HELD.value
    return _of_gate().join(_request, _points).where(_is_applied, sa.or_(waits, failed, held))


def overtaken_requests() -> Select[Any]:
    """Promise 4: while a row's request is open, no newer one of it comes to an end."""
    oldest = sa.select(sa.func.min(_gate.c.batch_id)).where(_gate_is_open).scalar_subquery()
    newer = _request.c.batch_id > _gate.c.batch_id
    found = _of_gate().join(_request, _same_row).join(_batch, sa.and_(_batch.c.id == _request.c.batch_id, _same_task))
    return found.where(_gate_is_open, newer, _request.c.batch_id > oldest, ~_is_open).distinct()


def not_compared() -> Select[Any]:
    """Promise 5: what was written had been compared with the row as it was read."""
    return _of_request().where(_is_applied, _request.c.guard == "")


def open_in_ended_batches() -> Select[Any]:
    """Promise 6: a batch that has ended has no request without an outcome."""
    left = sa.exists().where(_request.c.batch_id == _batch.c.id, _is_open)
    return _of_batch().where(_batch.c.state.in_(_END_STATES), left)


def requests_miscounted() -> Select[Any]:
    """Promise 6: a batch has as many requests as it was built with, fewer only where it was trimmed."""
    there = sa.select(sa.func.count()).where(_request.c.batch_id == _batch.c.id).scalar_subquery()
    return _of_batch().where(sa.or_(_batch.c.requests < there, sa.and_(_batch.c.requests != there, ~_trimmed)))


def outcomes_miscounted() -> Select[Any]:
    """Promise 6: what an ended batch says of its outcomes, tokens and cost is what its requests say.

    Of a batch that was trimmed, what is left says no more than that.
    """
    counts = [total(sa.case((_request.c.outcome == name, 1), else_=0)).label(name) for name in _COUNTED]
    sums = [total(_request.c[name]).label(name) for name in SUMS]
    said = sa.select(_request.c.batch_id, *counts, *sums).group_by(_request.c.batch_id).subquery("said")
    pairs = [(_batch.c[name], sa.func.coalesce(said.c[name], 0)) for name in (*_COUNTED, *SUMS)]
    exceeded = sa.or_(*(told < found for told, found in pairs))
    differs = sa.or_(*(told != found for told, found in pairs))
    told = _of_batch().select_from(_batch.outerjoin(said, said.c.batch_id == _batch.c.id))
    return told.where(_batch.c.state.in_(_END_STATES), sa.or_(exceeded, sa.and_(differs, ~_trimmed)))


def gates_that_disagree() -> Select[Any]:
    """Promise 6: a gate that is not open tells of its row's last request what that request tells."""
    other_row = sa.or_(_gate.c.task_id != _batch.c.task_id, ~_same_row)
    other_end = sa.and_(_gate.c.outcome != _request.c.outcome, _gate.c.outcome.not_in(_NEVER_SENT))
    other_state = sa.or_(
        sa.and_(_gate.c.state == GateState.DONE.value, ~_is_applied),
        sa.and_(_gate.c.state == GateState.HELD.value, _request.c.outcome != Outcome.CANCELLED.value),
    )
    told = _of_gate().join(_request, _points).join(_batch, _batch.c.id == _request.c.batch_id)
    return told.where(~_gate_is_open, ~_is_open, sa.or_(other_row, _gate.c.outcome.is_(None), other_end, other_state))


def due_again_unasked() -> Select[Any]:
    """Promise 9: what is not retried by itself waits for a person, whose word gives fresh tries."""
    unasked = sa.and_(_gate.c.outcome.in_(_NOT_RETRIED), _gate.c.outcome != Outcome.APPLIED.value)
    tried = _gate.c.paid_tries + _gate.c.unpaid_tries > 0
    return _of_gate().where(_gate.c.state == GateState.RETRY.value, unasked, tried)


def too_many_tries(limits: Mapping[int, Limits]) -> Select[Any]:
    """Promise 9: a row is tried as often as its task allows, and not waiting for a try it may not have.

    Args:
        limits: by task the widest that any of its definitions set.
    """
    return _of_gate().where(sa.or_(sa.false(), *(_beyond(task_id, limit) for task_id, limit in limits.items())))


RULE_QUERIES: dict[Rule, Callable[[], Select[Any]]] = {
    Rule.UNGATED_REQUEST: ungated_requests,
    Rule.LOOSE_GATE: loose_gates,
    Rule.TWO_OPEN_REQUESTS: two_open_requests,
    Rule.SHARED_VENDOR_ID: shared_vendor_ids,
    Rule.UNRECORDED_SEND: unrecorded_sends,
    Rule.SENT_BUT_BUILT: sent_but_built,
    Rule.RESULT_NOT_KEPT: results_not_kept,
    Rule.DELETED_TOO_EARLY: deleted_too_early,
    Rule.NO_BEFORE_IMAGE: no_before_image,
    Rule.OUTCOME_TAKEN_BACK: outcomes_taken_back,
    Rule.APPLIED_DUE_AGAIN: applied_due_again,
    Rule.OVERTAKEN_REQUEST: overtaken_requests,
    Rule.NOT_COMPARED: not_compared,
    Rule.OPEN_IN_ENDED_BATCH: open_in_ended_batches,
    Rule.REQUESTS_MISCOUNTED: requests_miscounted,
    Rule.OUTCOMES_MISCOUNTED: outcomes_miscounted,
    Rule.GATE_DISAGREES: gates_that_disagree,
    Rule.DUE_AGAIN_UNASKED: due_again_unasked,
}


def _beyond(task_id: int, limits: Limits) -> ColumnElement[bool]:
    goes_on = _gate.c.state.in_([GateState.OPEN.value, GateState.RETRY.value])
    return sa.and_(
        _gate.c.task_id == task_id,
        sa.or_(
            _gate.c.paid_tries > limits.max_attempts,
            # The last try that was allowed has failed.
            _gate.c.unpaid_tries > limits.max_resends + 1,
            sa.and_(
                goes_on,
                sa.or_(_gate.c.paid_tries >= limits.max_attempts, _gate.c.unpaid_tries > limits.max_resends),
            ),
        ),
    )


def _has(kind: str, part: int = 0) -> ColumnElement[bool]:
    return sa.exists().where(
        _content.c.batch_id == _request.c.batch_id,
        _content.c.kind == kind,
        _content.c.seq == _request.c.seq,
        _content.c.part == part,
    )


def _of_request() -> Select[Any]:
    row = (_request.c[name] for name in ("batch_id", "seq", "key_int", "key_text", "key_hash"))
    return sa.select(_batch.c.task_id, *row).select_from(_requests)


def _of_gate() -> Select[Any]:
    row = (_gate.c[name] for name in ("task_id", "batch_id", "seq", "key_int", "key_text", "key_hash"))
    return sa.select(*row).select_from(_gate)


def _of_batch() -> Select[Any]:
    return sa.select(_batch.c.task_id, _batch.c.id.label("batch_id"))
