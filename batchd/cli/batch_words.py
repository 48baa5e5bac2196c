"""What state a batch is in, and what it asks a person to do, in words."""

from collections.abc import Mapping
from typing import Any

from batchd.cli.at_work import PARTS_OF_AN_OWNER
from batchd.core.findings import REPORTS
from batchd.core.outcomes import Outcome
from batchd.core.states import ENDS

Facts = Mapping[str, Any]
_ENDS = {state.value for state in ENDS}
_WORDS = {
    "built": "built, to be sent",
    "submitting": "being sent",
    "ended": "ended, to be fetched",
    "collected": "fetched, to be written",
    "failed": "refused by the vendor",
    "abandoned": "given up, never sent",
}


def state_words(batch: Facts) -> str:
    """``at the vendor, 812 of 1,200 answered``; ``held at collected``."""
    state = str(batch["state"])
    if state == "held":
        return f"held at {batch['held_from']}"
    if state == "submitted":
        return f"at the vendor, {_answered(batch)}"
    if state == "abandoned" and _may_be_there(batch):
        return "given up"
    return _WORDS.get(state, state)


def vendor_id_words(batch: Facts) -> str:
    """Its id at the vendor; without one, what is known of it there."""
    if batch["vendor_batch_id"]:
        return str(batch["vendor_batch_id"])
    if "submitting" in (batch["state"], batch["held_from"]) or _may_be_there(batch):
        return "nobody knows whether it was created there"
    return "never sent" if batch["state"] in _ENDS else "not sent yet"


def _may_be_there(batch: Facts) -> bool:
    """Whether the vendor has it, or may have it: rows of a batch that is given up then count as paid for."""
    return bool(batch["vendor_batch_id"]) or Outcome.MISSING in batch["outcomes"]


def next_command(batch: Facts) -> str:
    """What a person may run for it; empty where there is nothing to do. Needs the batch's findings."""
    unanswered = [one for one in batch["findings"] if one["closed_at"] is None]
    told = [one["next_command"] for one in unanswered if not one["next_command"].startswith("batchd show ")]
    if told:
        return str(told[0])
    if batch["state"] == "held" or any(one["kind"] in REPORTS for one in unanswered):
        return f"batchd resolve {batch['batch']}"
    if batch["state"] in _ENDS:
        return ""
    # Checking sends nothing, so a batch that is not sent yet would stay where it is.
    if batch["state"] == "built":
        return f"batchd submit --task {batch['task']}"
    return f"batchd check {batch['vendor_batch_id'] or batch['batch']}"


def actor_words(actor: str) -> str:
    """Who moved it: a process as ``4711@web1``, anybody else by name."""
    parts = actor.split("/")
    return f"{parts[2]}@{parts[0]}" if len(parts) == PARTS_OF_AN_OWNER else actor


def _answered(batch: Facts) -> str:
    counted = batch["vendor_counts"]
    if counted["total"]:
        return f"{counted['completed'] or 0:,} of {counted['total']:,} answered"
    return str(batch["vendor_status"] or "nothing told yet").replace("_", " ")
