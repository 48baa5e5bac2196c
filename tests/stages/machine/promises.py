"""The promises of the design, section 3, as code: what must hold after every single step.

The story (see ``table.py``) is judged entry by entry as it grows; what stands in the ledger is judged as a whole.
"""

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from batchd.core.outcomes import RULES, Outcome
from tests.stages.machine.table import MAX_RESENDS
from tests.stages.machine.vendor import Sent
from tests.stages.machine.world import World

# What a person wrote there after the claim would be lost if batchd wrote over it.
_GUARDED = ("name", "level", "done_at", "by_batch", "made_by")
_UNTOUCHED = ("resume", "note", "wanted")
# Nothing the machine does gives a reason for these.
_NEVER = ("stranger", "apply-failed", "task-moved", "account-moved", "unusable-keys", "suspect-results")


@dataclass(slots=True)
class _Epoch:
    """A row's tries since a person last had a word about it."""

    paid: int = 0
    unpaid: int = 0
    ended_by: str = ""
    limit: int = 0
    open: set[tuple[int, int]] = field(default_factory=set)


class Judge:
    """Reads what is new in the story and looks at the ledger; raises for the first promise that is broken."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read_to = 0
        self._claims: dict[tuple[int, int], dict[str, Any]] = {}
        self._writes: Counter[tuple[int, int]] = Counter()
        self._applied: Counter[tuple[int, int]] = Counter()
        self._epochs: dict[int, _Epoch] = {}
        self._limit = 0

    def check(self) -> None:
        """All promises, as they stand."""
        self._read_on()
        self._check_applied_once()
        self._check_one_open_request()
        self._check_accounted()
        self._check_vendor_batches()
        self._check_learned()
        self._check_recorded()
        self._check_findings()

    # The story.

    def _read_on(self) -> None:
        told = {"act": self._on_act, "claim": self._on_claim, "finish": self._on_finish, "write": self._on_write}
        for entry in self._world.rows("SELECT * FROM story WHERE id > ? ORDER BY id", self._read_to):
            self._read_to = entry["id"]
            if entry["what"] == "limits":
                self._limit = int(entry["after"])
                for epoch in self._epochs.values():
                    epoch.limit = max(epoch.limit, self._limit)
            else:
                told[entry["what"]](entry)

    def _on_act(self, entry: sqlite3.Row) -> None:
        self._epochs[entry["row_id"]] = _Epoch(limit=self._limit)

    def _on_claim(self, entry: sqlite3.Row) -> None:
        row, epoch = entry["row_id"], self._epochs[entry["row_id"]]
        request = (entry["batch_id"], entry["seq"])
        before = json.loads(entry["before"]) if entry["before"] else None
        if before is None or before["done_at"] is not None or not before["wanted"]:
            raise self._broke("P1", f"row {row} was claimed though it is not pending: {before}")
        self._claims[request] = before
        if epoch.ended_by:
            raise self._broke("P9", f"row {row} is sent again, though it ended as {epoch.ended_by}, nobody asked")
        epoch.open.add(request)

    def _on_finish(self, entry: sqlite3.Row) -> None:
        row, request = entry["row_id"], (entry["batch_id"], entry["seq"])
        if entry["before"] is not None:
            raise self._broke("P6", f"request {request} of row {row} was {entry['before']}, is {entry['after']} now")
        outcome = Outcome(entry["after"])
        self._applied[request] += outcome is Outcome.APPLIED
        self._check_kept(row, request, outcome)
        epoch = self._epochs[row]
        if request not in epoch.open:
            # A person had a word since it was claimed.
            return
        epoch.open.discard(request)
        epoch.paid += RULES[outcome].paid
        epoch.unpaid += not RULES[outcome].paid
        if not RULES[outcome].retried:
            epoch.ended_by = outcome.value
        if epoch.paid > epoch.limit or epoch.unpaid > MAX_RESENDS + 1:
            raise self._broke(
                "P9", f"row {row} had {epoch.paid} paid and {epoch.unpaid} unpaid tries; {epoch.limit} may be paid"
            )

    def _check_kept(self, row: int, request: tuple[int, int], outcome: Outcome) -> None:
        """Every line that was paid for and delivered is in the row or in the ledger."""
        batch = self._batch(request[0])
        sent, name = self._world.sent(batch["vendor_batch_id"]), f"{batch['uid']}-{request[1]}"
        if outcome is Outcome.APPLIED or sent is None or not sent.billed[name] or batch["uid"] in self._world.risked:
            return
        kept = self._world.rows(
            "SELECT body FROM batchd_content WHERE batch_id = ? AND seq = ? AND kind = 'line'", *request
        )
        bodies = {one["body"] for one in kept}
        lost = [line for line in sent.delivered[name] if line.decode() not in bodies]
        if lost:
            raise self._broke("P3", f"request {request} of row {row} is {outcome}; paid for and lost: {lost[0]!r}")

    def _on_write(self, entry: sqlite3.Row) -> None:
        row, old, new = entry["row_id"], json.loads(entry["before"]), json.loads(entry["after"])
        batch = self._world.rows("SELECT * FROM batchd_batch WHERE uid = ?", new["by_batch"])[0]
        seq = self._world.one("SELECT seq FROM batchd_request WHERE batch_id = ? AND key_int = ?", batch["id"], row)
        request, named = (batch["id"], seq), f"row {row}, by request {seq} of batch {batch['id']}"
        self._writes[request] += 1
        sent = self._world.sent(batch["vendor_batch_id"])
        if sent is None or seq is None:
            raise self._broke("P4", f"{named}: nothing was asked, but it was written: {new}")
        prompt, _, text = _asked(sent, f"{batch['uid']}-{seq}")
        claimed = self._claims[request] | {"resume": text}
        lost = {name: old[name] for name in ("resume", *_GUARDED) if old[name] != claimed[name]}
        if lost:
            raise self._broke("P5", f"{named}: changed since the claim and written over: {lost}, claimed: {claimed}")
        if not old["wanted"]:
            raise self._broke("P5", f"{named}: written, though it was not pending any more: {old}")
        touched = {name: (old[name], new[name]) for name in _UNTOUCHED if old[name] != new[name]}
        if touched:
            raise self._broke("P10", f"{named}: columns that are not the task's: {touched}")
        if new["made_by"] != prompt:
            raise self._broke("P7", f"{named}: asked as {prompt}, written as {new['made_by']}")
        if (new["name"], new["level"]) not in _answers(sent, f"{batch['uid']}-{seq}"):
            raise self._broke("P4", f"{named}: {new['name']}, {new['level']} is not what the vendor answered")

    # The ledger.

    def _check_applied_once(self) -> None:
        if +self._writes != +self._applied:
            differ = (self._writes - self._applied) + (self._applied - self._writes)
            request = next(iter(differ))
            raise self._broke(
                "P4", f"request {request}: applied {self._applied[request]}, its row written {self._writes[request]}"
            )

    def _check_one_open_request(self) -> None:
        self._none(
            "P1",
            "a row with two open requests",
            "SELECT key_int, count(*) FROM batchd_request WHERE outcome IS NULL GROUP BY key_int HAVING count(*) > 1",
        )
        self._none(
            "P1",
            "an open request whose row is not gated for it",
            "SELECT r.batch_id, r.seq, r.key_int FROM batchd_request r LEFT JOIN batchd_gate g"
            " ON g.batch_id = r.batch_id AND g.seq = r.seq AND g.key_int = r.key_int AND g.state = 'open'"
            " WHERE r.outcome IS NULL AND g.task_id IS NULL",
        )
        self._none(
            "P6",
            "an open gate without an open request",
            "SELECT g.key_int, g.batch_id, g.seq FROM batchd_gate g LEFT JOIN batchd_request r"
            " ON g.batch_id = r.batch_id AND g.seq = r.seq"
            " WHERE g.state = 'open' AND (r.batch_id IS NULL OR r.outcome IS NOT NULL)",
        )

    def _check_accounted(self) -> None:
        ended = "('closed', 'failed', 'abandoned')"
        self._none(
            "P6",
            "an ended batch with an open request",
            "SELECT b.id, b.state, r.seq, r.key_int FROM batchd_batch b JOIN batchd_request r ON r.batch_id = b.id"
            f" WHERE b.state IN {ended} AND r.outcome IS NULL",
        )
        counted = " + ".join(f"b.{outcome}" for outcome in Outcome if outcome not in ("unrenderable", "too_large"))
        self._none(
            "P6",
            "an ended batch whose counts are not its requests",
            f"SELECT b.id, b.state, b.requests, {counted} AS counted FROM batchd_batch b WHERE b.state IN {ended}"
            f" AND (b.requests <> {counted}"
            "  OR b.requests <> (SELECT count(*) FROM batchd_request r WHERE r.batch_id = b.id))",
        )

    def _check_vendor_batches(self) -> None:
        by_uid: dict[str, list[str]] = {}
        for sent in self._world.vendor.sent.values():
            self._check_what_was_sent(sent)
            if sent.billed:
                by_uid.setdefault(sent.uid, []).append(sent.batch.id)
        for uid, ids in by_uid.items():
            if len(ids) > 1 and uid not in self._world.risked and not self._is_reported(uid):
                raise self._broke("P2", f"batch {self._id_of(uid)} was paid for as {ids}, and nobody took the risk")

    def _check_what_was_sent(self, sent: Sent) -> None:
        batch = next(iter(self._world.rows("SELECT * FROM batchd_batch WHERE uid = ?", sent.uid)), None)
        if batch is None:
            raise self._broke("P2", f"{sent.batch.id} was sent for {sent.uid}, which the ledger does not know")
        wanted = self._world.rows("SELECT seq FROM batchd_request WHERE batch_id = ?", batch["id"])
        lines = [line["custom_id"] for line in sent.lines]
        if sorted(lines) != sorted(f"{sent.uid}-{one['seq']}" for one in wanted):
            raise self._broke("P6", f"{sent.batch.id} has the lines {lines}, batch {batch['id']} other requests")
        mine = self._world.sent(batch["vendor_batch_id"])
        if mine is not None and mine.uid != batch["uid"]:
            raise self._broke("P2", f"batch {batch['id']} took {mine.batch.id}, which is another batch's")

    def _check_learned(self) -> None:
        """An id that was learned is a fact: it is written down, whoever holds the lease by then."""
        for vendor_batch_id in self._world.learned:
            known = self._world.rows("SELECT 1 FROM batchd_batch WHERE vendor_batch_id = ?", vendor_batch_id)
            told = self._world.rows("SELECT 1 FROM batchd_finding WHERE instr(detail, ?) > 0", vendor_batch_id)
            if not known and not told:
                raise self._broke("P2", f"{vendor_batch_id} was created and told, and nobody wrote it down")
        self._world.learned.clear()

    def _is_reported(self, uid: str) -> bool:
        subject = f"batch {self._id_of(uid)}"
        kinds = "('extra-batch', 'late-batch')"
        return bool(self._world.rows(f"SELECT 1 FROM batchd_finding WHERE kind IN {kinds} AND subject = ?", subject))

    def _check_recorded(self) -> None:
        self._none(
            "P12",
            "a batch that is not where its last event says",
            "SELECT b.id, b.state, b.held_from, e.action, e.to_state FROM batchd_batch b JOIN batchd_event e"
            " ON e.id = (SELECT max(id) FROM batchd_event WHERE subject = 'batch' AND subject_id = b.id)"
            " WHERE e.to_state NOT IN (b.state, coalesce(b.held_from, b.state))",
        )

    def _check_findings(self) -> None:
        never = ", ".join(f"'{kind}'" for kind in (*_NEVER, *([] if self._world.tampered else ["input-lost"])))
        self._none(
            "P12",
            "a finding without a reason",
            f"SELECT kind, subject, detail FROM batchd_finding WHERE kind IN ({never})",
        )

    # Inside.

    def _none(self, promise: str, what: str, sql: str) -> None:
        found = self._world.rows(sql)
        if found:
            raise self._broke(promise, f"{what}: {dict(found[0])}")

    def _batch(self, batch_id: int) -> sqlite3.Row:
        return self._world.rows("SELECT * FROM batchd_batch WHERE id = ?", batch_id)[0]

    def _id_of(self, uid: str) -> Any:
        return self._world.one("SELECT id FROM batchd_batch WHERE uid = ?", uid)

    def _broke(self, promise: str, text: str) -> AssertionError:
        return self._world.broke(promise, text)


def _asked(sent: Sent, name: str) -> tuple[str, str, str]:
    """The prompt's name, and the row's text, that a request was made of."""
    (line,) = [line for line in sent.lines if line["custom_id"] == name]
    prompt, bar, text = line["body"]["messages"][0]["content"].partition("|")
    return prompt, bar, text


def _answers(sent: Sent, name: str) -> list[tuple[str | None, str]]:
    """What the vendor answered to a request: name and level, where it is an answer at all."""
    found = []
    for raw in sent.delivered[name]:
        choices = (json.loads(raw)["response"]["body"] or {}).get("choices", [])
        for choice in choices:
            answer = _parsed(choice["message"]["content"] or "")
            found.append((answer.get("name"), str(answer.get("level"))))
    return found


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
