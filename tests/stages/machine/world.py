"""The world of one example: everything that people, the vendor, time and two daemons can do.

Every method without an underscore is an act: the rules of the machine call them, and so does a mishap that lets
others work while a process sleeps.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from batchd import operations, pipeline
from batchd.core.reconcile import matches
from batchd.ports import EVERYTHING, Counts, Orders, Workplace
from tests.stages.machine.ground import Ground
from tests.stages.machine.mishaps import Mishap
from tests.stages.machine.vendor import Sent

STAGES = {make.__name__.strip("_"): make for make in pipeline.BATCH_LANE}
LANE = tuple(STAGES)


class World(Ground):
    """Everything that can happen."""

    # What can happen: to rows.

    def insert(self, row: int, sticky: bool = False) -> None:  # noqa: FBT001, FBT002 - as hypothesis draws it
        """A row comes, pending; a sticky one will be pending again whatever is written to it."""
        if self._row(row) is None:
            self._act(row, "insert")
            # Versions are the database's, not the row's: a row that comes again has another one.
            version = 1000 * next(self._versions)
            columns = "id, resume, sticky, version"
            self.db.execute(f"INSERT INTO person ({columns}) VALUES (?, ?, ?, ?)", (row, self._text(), sticky, version))

    def delete(self, row: int) -> None:
        """A row goes."""
        if self._row(row) is not None:
            self._act(row, "delete")
            self.db.execute("DELETE FROM person WHERE id = ?", (row,))

    def edit(self, row: int, column: str) -> None:
        """A person writes a column: an input, an output, or one that is none of batchd's business."""
        if self._row(row) is not None:
            value = ("junior", "senior", "boss")[row % 3] if column == "level" else self._text()
            self.db.execute(f"UPDATE person SET {column} = ? WHERE id = ?", (value, row))

    def empty(self, row: int) -> None:
        """No prompt can be made of this row any more."""
        self.db.execute("UPDATE person SET resume = NULL WHERE id = ?", (row,))

    def touch(self, row: int) -> None:
        """The guard column moves, and nothing else."""
        self.db.execute("UPDATE person SET version = version + 1 WHERE id = ?", (row,))

    def mark(self, row: int) -> None:
        """A person does the row by hand."""
        found = self._row(row)
        if found is not None and found["done_at"] is None:
            self._act(row, "mark")
            self.db.execute("UPDATE person SET done_at = 'by hand' WHERE id = ?", (row,))

    def reset(self, row: int) -> None:
        """A person wants the row done anew."""
        found = self._row(row)
        if found is not None and found["done_at"] is not None:
            self._act(row, "reset")
            self.db.execute("UPDATE person SET done_at = NULL WHERE id = ?", (row,))

    def set_aside(self, row: int) -> None:
        """A person does not want the row done for now."""
        self._want(row, 0)

    def want(self, row: int) -> None:
        """And wants it after all."""
        self._want(row, 1)

    def change_in_work(self, at: int, how: str) -> None:
        """A row with an open request changes: one of its columns, its marker, or its being there."""
        in_work = self.rows("SELECT key_int FROM batchd_gate WHERE state = 'open' ORDER BY key_int")
        if not in_work:
            return
        row = in_work[at % len(in_work)]["key_int"]
        if how in ("mark", "delete", "touch", "set_aside"):
            getattr(self, how)(row)
        elif how == "mark_and_reset":
            self.mark(row)
            self.reset(row)
        elif how == "come_again":
            self.delete(row)
            self.insert(row)
        else:
            self.edit(row, how)

    # What can happen: to time, files and the config.

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.forward(seconds)

    def configure(self, prompt: str, max_attempts: int, batch_size: int) -> None:
        """The config is edited; whoever works next works by it."""
        self._prompt, self._max_attempts, self._batch_size = prompt, max_attempts, batch_size
        self._note_limits()

    def lose_results(self) -> None:
        """Somebody clears result files out of the spool."""
        for path in [*self._spool_files("*.output.jsonl"), *self._spool_files("*.error.jsonl")]:
            path.unlink()

    def lose_inputs(self) -> None:
        """Somebody clears request files out of the spool."""
        self.tampered = True
        for path in self._spool_files("*.input.jsonl"):
            path.unlink()

    # What can happen: at the vendor.

    def vendor_begins(self, at: int, status: str) -> None:
        """A batch is validated, or says something that nobody has heard of."""
        for sent in self._some_open(at):
            self.vendor.begin(sent, status)

    def vendor_refuses(self, at: int, why: str) -> None:
        """A batch fails its validation."""
        for sent in self._some_open(at):
            self.vendor.refuse(sent, why)

    def vendor_ends(self, at: int, status: str, kinds: Sequence[str], ran: int | None, names_late: int) -> None:
        """A batch comes to an end."""
        for sent in self._some_open(at):
            sent.names_late = names_late
            self.vendor.end(sent, status, kinds, ran=ran)

    def late_creates_land(self) -> None:
        """What was on its way arrives."""
        self.vendor.let_late_creates_land()

    # What can happen: batchd works.

    def work(
        self, slot: str, stages: Sequence[str] = LANE, mishaps: tuple[Mishap, ...] = (), *, known_dead: bool = True
    ) -> Counts:
        """A process passes over these stages; where it dies, another takes its place.

        Args:
            slot: which of the daemons.
            stages: names, in order.
            mishaps: what strikes it; each at most once.
            known_dead: should it die, the others can prove that it did; else its leases must expire.
        """
        process = self._processes[slot]
        orders = Orders(eager=True, first=process.is_first)
        lane = tuple(STAGES[name] for name in stages)
        counts = Counts()

        def passed() -> None:
            counts.merge(pipeline.run_pass(lane, self._workplace(process), EVERYTHING, orders))
            if "recover" in stages:
                process.is_first = process.is_first and counts["lists_unread"] > 0

        self._try(process, passed, mishaps, known_dead=known_dead)
        if not process.alive:
            self._processes[slot] = self._new_process()
        return counts

    # What can happen: people at the command line.

    def retry(self, row: int | None, mishaps: tuple[Mishap, ...] = ()) -> None:
        """``batchd retry``: of one row by its key, or of all that failed or are held."""
        states = "('failed', 'held')" if row is None else "('failed', 'held', 'done')"
        stuck = self.rows(f"SELECT key_int FROM batchd_gate WHERE state IN {states}")
        for one in stuck:
            if row in (None, one["key_int"]):
                self._act(one["key_int"], "retry")
        order = operations.RetryOrder([] if row is None else [str(row)])
        self._person(lambda place: operations.retry(place.store, "people", self._task(), order), mishaps)

    def pause(self) -> None:
        """``batchd pause``."""
        self._person(lambda place: operations.pause(place.store, "people", "wait"))

    def resume(self) -> None:
        """``batchd resume``."""
        self._person(lambda place: operations.resume(place.store, "people", "go on"))

    def cancel(self, at: int, mishaps: tuple[Mishap, ...] = ()) -> None:
        """``batchd cancel``: of any batch, whatever its state."""
        for batch in self._one_batch(at, "1 = 1"):
            self._command(operations.cancel, batch, mishaps)

    def resolve(self, at: int) -> None:
        """``batchd resolve``: its checks are waived, so that what is lacking may be lost."""
        for batch in self._one_batch(at, "state = 'held'"):
            self._risk(batch)
            self._command(operations.resolve, batch)

    def abandon(self, at: int, mishaps: tuple[Mishap, ...] = ()) -> None:
        """``batchd resolve --abandon``."""
        for batch in self._one_batch(at, "state = 'held'"):
            self._risk(batch)
            self._command(operations.abandon, batch, mishaps)

    def send_again(self, at: int, mishaps: tuple[Mishap, ...] = ()) -> None:
        """``batchd resolve --send-again``: by somebody who may not have looked."""
        for batch in self._one_batch(at, "state = 'held'"):
            self._risk(batch)
            self._command(operations.send_again, batch, mishaps)

    def adopt(self, at: int, there: int, mishaps: tuple[Mishap, ...] = ()) -> None:
        """``batchd resolve --adopt``: right or wrong, batchd has to tell."""
        ids = list(self.vendor.sent)
        for batch in self._one_batch(at, "state = 'held'") if ids else ():
            named = partial(operations.adopt, vendor_batch_id=ids[-1 - there % len(ids)])
            self._command(named, batch, mishaps)

    def decide(self) -> None:
        """A sensible person settles everything that is held, at the end: see ``drain.py``."""
        for one in self.rows("SELECT id, held_from FROM batchd_batch WHERE state = 'held'"):
            if one["held_from"] == "submitting":
                self._settle_unknown(one["id"])
            elif one["held_from"] != "submitted":
                self._command(operations.resolve, one["id"])

    # Inside.

    def _command(
        self, operation: Callable[[Workplace, str], object], batch: int, mishaps: tuple[Mishap, ...] = ()
    ) -> None:
        self._person(lambda place: operation(place, str(batch)), mishaps)

    def _settle_unknown(self, batch_id: int) -> None:
        """Looks for the batch at the vendor: takes it where it is there, sends it again where it is not."""

        def settled(place: Workplace) -> None:
            batch = place.store.read(lambda ledger: ledger.batches.get(batch_id))
            found = matches(batch, [sent.batch for sent in self.vendor.sent.values()])
            if found:
                operations.adopt(place, str(batch_id), found[0].id)
            else:
                operations.send_again(place, str(batch_id))

        self._person(settled)

    def _want(self, row: int, wanted: int) -> None:
        found = self._row(row)
        if found is not None and found["wanted"] != wanted:
            self._act(row, "wanted" if wanted else "set aside")
            self.db.execute("UPDATE person SET wanted = ? WHERE id = ?", (wanted, row))

    def _one_batch(self, at: int, where: str) -> list[int]:
        """One batch of those, chosen from the newest by a number of any size; none where there is none."""
        found = [row["id"] for row in self.rows(f"SELECT id FROM batchd_batch WHERE {where} ORDER BY id DESC")]
        return [found[at % len(found)]] if found else []

    def _row(self, row: int) -> sqlite3.Row | None:
        return next(iter(self.rows("SELECT * FROM person WHERE id = ?", row)), None)

    def _act(self, row: int, what: str) -> None:
        """A person's word about a row: from here on it may be tried, and paid for, anew."""
        self.db.execute("INSERT INTO story (what, row_id, after) VALUES ('act', ?, ?)", (row, what))

    def _text(self) -> str:
        return f"text-{next(self._texts)}"

    def _risk(self, batch: int) -> None:
        uid = self.one("SELECT uid FROM batchd_batch WHERE id = ? AND state = 'held'", batch)
        if uid is not None:
            self.risked.add(uid)

    def _some_open(self, at: int) -> list[Sent]:
        """One open batch, chosen by a number of any size; none where none is open."""
        there = self.vendor.open()
        return [there[at % len(there)]] if there else []

    def _spool_files(self, pattern: str) -> list[Path]:
        with contextlib.suppress(FileNotFoundError):
            return sorted((self.folder / "spool").glob(pattern))
        return []
