"""The floor on MariaDB: INSERTs of many rows, a staging table and UPDATE … JOIN; one transaction a chunk."""

from collections.abc import Sequence
from typing import Any

import pymysql  # type: ignore[import-untyped]

from tests.bench.floor_rows import FINISHED, Answer, Sent

_NOW = "UTC_TIMESTAMP(3)"
_EVENT = (
    "INSERT INTO batchd_event (at, actor, subject, subject_id, action, from_state, to_state, reason)"
    f" VALUES ({_NOW}, 'floor', 'batch', %s, 'moved', %s, %s, '')"
)
_STAGE = """
    CREATE TEMPORARY TABLE stage (seq INT PRIMARY KEY, row_key BIGINT, full_name VARCHAR(200), years_experience DOUBLE,
        skills TEXT, level VARCHAR(10), summary TEXT, input_tokens BIGINT, cached_tokens BIGINT, output_tokens BIGINT,
        reasoning_tokens BIGINT)
"""
_IMAGES = f"""
    INSERT INTO batchd_content (batch_id, seq, kind, part, body, created_at)
    SELECT %s, s.seq, 'before', 0, JSON_OBJECT('full_name', c.full_name, 'years_experience', c.years_experience,
        'skills', c.skills, 'level', c.level, 'summary', c.summary, 'done_at', c.done_at), {_NOW}
    FROM stage AS s JOIN candidate AS c ON c.id = s.row_key
"""
_ROWS = f"""
    UPDATE stage AS s JOIN candidate AS c ON c.id = s.row_key
    SET c.full_name = s.full_name, c.years_experience = s.years_experience, c.skills = s.skills, c.level = s.level,
        c.summary = s.summary, c.done_at = {_NOW}
"""
_OUTCOMES = f"""
    UPDATE stage AS s JOIN batchd_request AS r ON r.batch_id = %s AND r.seq = s.seq
    SET r.outcome = %s, r.finish_reason = %s, r.input_tokens = s.input_tokens, r.cached_tokens = s.cached_tokens,
        r.output_tokens = s.output_tokens, r.reasoning_tokens = s.reasoning_tokens, r.cost_nano_usd = 0,
        r.finished_at = {_NOW}
"""


class Ledger:
    """Implements ``FloorLedger``."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._connection = pymysql.connect(**settings)
        self._cursor = self._connection.cursor()
        self._cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self._cursor.execute(_STAGE)

    def page(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        self._cursor.execute(
            "SELECT id, resume FROM candidate WHERE id > %s AND done_at IS NULL ORDER BY id LIMIT %s", (after, limit)
        )
        found: Sequence[tuple[int, str]] = self._cursor.fetchall()
        self._connection.commit()
        return found

    def record(self, sent: Sent, keys: Sequence[int]) -> int:
        run = self._cursor.execute
        run(f"INSERT IGNORE INTO batchd_task (id, name, fingerprint, created_at) VALUES (1, 'floor', '', {_NOW})")
        run(f"INSERT IGNORE INTO batchd_task_version VALUES (1, 1, '', '{{}}', {_NOW})")
        run(
            "INSERT INTO batchd_batch (uid, task_id, version_id, state, account, account_fingerprint, requests,"
            f" input_bytes, input_sha256, created_at) VALUES (%s, 1, 1, 'built', 'bench', '', %s, %s, %s, {_NOW})",
            (sent.uid, sent.requests, sent.bytes, sent.sha256),
        )
        batch_id = int(self._cursor.lastrowid or 0)
        run(_EVENT, (batch_id, None, "built"))
        run(f"SELECT {_NOW}")
        ((now,),) = self._cursor.fetchall()
        # The driver makes one INSERT of many of these, where each value is a mark.
        self._cursor.executemany(
            "INSERT INTO batchd_request (batch_id, seq, key_int, key_text, key_hash, guard)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [(batch_id, seq, key, "", "", f"{key:032x}") for seq, key in enumerate(keys, 1)],
        )
        self._cursor.executemany(
            "INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, batch_id, seq, changed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [(1, key, "", "", "open", batch_id, seq, now) for seq, key in enumerate(keys, 1)],
        )
        self._connection.commit()
        return batch_id

    def move(self, batch_id: int, source: str, target: str, changes: dict[str, Any]) -> None:
        changed = ", ".join(f"{name} = %s" for name in ("state", *changes))
        self._cursor.execute(f"UPDATE batchd_batch SET {changed} WHERE id = %s", (target, *changes.values(), batch_id))
        self._cursor.execute(_EVENT, (batch_id, source, target))
        self._connection.commit()

    def apply(self, batch_id: int, answers: Sequence[Answer], keys: Sequence[int]) -> None:
        run = self._cursor.execute
        self._cursor.executemany(
            "INSERT INTO stage VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(one.seq, key, *one[1:]) for one, key in zip(answers, keys, strict=True)],
        )
        run(_IMAGES, (batch_id,))
        run(_ROWS)
        run(_OUTCOMES, (batch_id, *FINISHED))
        run(
            "DELETE FROM batchd_gate WHERE batch_id = %s AND seq BETWEEN %s AND %s",
            (batch_id, answers[0].seq, answers[-1].seq),
        )
        run(f"UPDATE batchd_batch SET applied_at = {_NOW} WHERE id = %s", (batch_id,))
        run("DELETE FROM stage")
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()
