"""The floor on SQLite: prepared statements run for many rows at once, one transaction a chunk."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from tests.bench.floor_rows import FINISHED, Answer, Sent

_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
_EVENT = (
    "INSERT INTO batchd_event (at, actor, subject, subject_id, action, from_state, to_state, reason)"
    f" VALUES ({_NOW}, 'floor', 'batch', ?, 'moved', ?, ?, '')"
)
_IMAGES = f"""
    INSERT INTO batchd_content (batch_id, seq, kind, part, body, created_at)
    SELECT r.batch_id, r.seq, 'before', 0, json_object('full_name', c.full_name, 'years_experience', c.years_experience,
        'skills', c.skills, 'level', c.level, 'summary', c.summary, 'done_at', c.done_at), {_NOW}
    FROM batchd_request AS r JOIN candidate AS c ON c.id = r.key_int
    WHERE r.batch_id = ? AND r.seq BETWEEN ? AND ?
"""
_ROWS = (
    "UPDATE candidate SET full_name = ?, years_experience = ?, skills = ?, level = ?, summary = ?,"
    " done_at = strftime('%Y-%m-%d %H:%M:%S', 'now') WHERE id = ?"
)
_OUTCOMES = (
    "UPDATE batchd_request SET outcome = ?, finish_reason = ?, input_tokens = ?, cached_tokens = ?, output_tokens = ?,"
    f" reasoning_tokens = ?, cost_nano_usd = ?, finished_at = {_NOW} WHERE batch_id = ? AND seq = ?"
)


class Ledger:
    """Implements ``FloorLedger``."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._connection = sqlite3.connect(**settings, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")

    def page(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        found: Sequence[tuple[int, str]] = self._connection.execute(
            "SELECT id, resume FROM candidate WHERE id > ? AND done_at IS NULL ORDER BY id LIMIT ?", (after, limit)
        ).fetchall()
        return found

    def record(self, sent: Sent, keys: Sequence[int]) -> int:
        run = self._begin()
        run(
            "INSERT OR IGNORE INTO batchd_task (id, name, fingerprint, created_at) VALUES (1, 'floor', '', ?)", ("now",)
        )
        run("INSERT OR IGNORE INTO batchd_task_version VALUES (1, 1, '', '{}', ?)", ("now",))
        batch_id = run(
            "INSERT INTO batchd_batch (uid, task_id, version_id, state, account, account_fingerprint, requests,"
            f" input_bytes, input_sha256, created_at) VALUES (?, 1, 1, 'built', 'bench', '', ?, ?, ?, {_NOW})",
            (sent.uid, sent.requests, sent.bytes, sent.sha256),
        ).lastrowid
        run(_EVENT, (batch_id, None, "built"))
        self._connection.executemany(
            "INSERT INTO batchd_request (batch_id, seq, key_int, key_text, key_hash, guard)"
            " VALUES (?, ?, ?, '', '', ?)",
            ((batch_id, seq, key, f"{key:032x}") for seq, key in enumerate(keys, 1)),
        )
        self._connection.executemany(
            "INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, batch_id, seq, changed_at)"
            f" VALUES (1, ?, '', '', 'open', ?, ?, {_NOW})",
            ((key, batch_id, seq) for seq, key in enumerate(keys, 1)),
        )
        run("COMMIT")
        return int(batch_id or 0)

    def move(self, batch_id: int, source: str, target: str, changes: dict[str, Any]) -> None:
        run = self._begin()
        changed = ", ".join(f"{name} = ?" for name in ("state", *changes))
        run(f"UPDATE batchd_batch SET {changed} WHERE id = ?", (target, *changes.values(), batch_id))
        run(_EVENT, (batch_id, source, target))
        run("COMMIT")

    def apply(self, batch_id: int, answers: Sequence[Answer], keys: Sequence[int]) -> None:
        run = self._begin()
        chunk = (batch_id, answers[0].seq, answers[-1].seq)
        run(_IMAGES, chunk)
        self._connection.executemany(_ROWS, [(*one[1:6], key) for one, key in zip(answers, keys, strict=True)])
        self._connection.executemany(_OUTCOMES, [(*FINISHED, *one[6:], 0, batch_id, one.seq) for one in answers])
        run("DELETE FROM batchd_gate WHERE batch_id = ? AND seq BETWEEN ? AND ?", chunk)
        run(f"UPDATE batchd_batch SET applied_at = {_NOW} WHERE id = ?", (batch_id,))
        run("COMMIT")

    def close(self) -> None:
        self._connection.close()

    def _begin(self) -> Any:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection.execute
