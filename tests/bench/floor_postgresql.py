"""The floor on PostgreSQL: COPY in, COPY into a staging table, UPDATE … FROM it; one transaction a chunk."""

from collections.abc import Sequence
from typing import Any

import psycopg

from tests.bench.floor_rows import FINISHED, Answer, Sent

_EVENT = (
    "INSERT INTO batchd_event (at, actor, subject, subject_id, action, from_state, to_state, reason)"
    " VALUES (clock_timestamp(), 'floor', 'batch', %s, 'moved', %s, %s, '')"
)
_STAGE = """
    CREATE TEMPORARY TABLE stage (seq integer, key bigint, full_name text, years_experience float8,
        skills text, level text, summary text, input_tokens bigint, cached_tokens bigint, output_tokens bigint,
        reasoning_tokens bigint) ON COMMIT DELETE ROWS
"""
_IMAGES = """
    INSERT INTO batchd_content (batch_id, seq, kind, part, body, created_at)
    SELECT %s, s.seq, 'before', 0, json_build_object('full_name', c.full_name, 'years_experience', c.years_experience,
        'skills', c.skills, 'level', c.level, 'summary', c.summary, 'done_at', c.done_at)::text, clock_timestamp()
    FROM stage AS s JOIN candidate AS c ON c.id = s.key
"""
_ROWS = """
    UPDATE candidate AS c SET full_name = s.full_name, years_experience = s.years_experience, skills = s.skills,
        level = s.level, summary = s.summary, done_at = clock_timestamp()
    FROM stage AS s WHERE c.id = s.key
"""
_OUTCOMES = """
    UPDATE batchd_request AS r SET outcome = %s, finish_reason = %s, input_tokens = s.input_tokens,
        cached_tokens = s.cached_tokens, output_tokens = s.output_tokens, reasoning_tokens = s.reasoning_tokens,
        cost_nano_usd = 0, finished_at = clock_timestamp()
    FROM stage AS s WHERE r.batch_id = %s AND r.seq = s.seq
"""


class Ledger:
    """Implements ``FloorLedger``."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._connection = psycopg.connect(**settings, options="-c search_path=public,batchd")
        with self._connection.transaction():
            self._connection.execute(_STAGE)
            # A chunk is found by its keys, whatever the planner believes of a table that it knows nothing about.
            self._connection.execute("SET enable_hashjoin = off")
            self._connection.execute("SET enable_mergejoin = off")

    def page(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        with self._connection.transaction():
            return self._connection.execute(
                "SELECT id, resume FROM candidate WHERE id > %s AND done_at IS NULL ORDER BY id LIMIT %s",
                (after, limit),
            ).fetchall()

    def record(self, sent: Sent, keys: Sequence[int]) -> int:
        run = self._connection.execute
        with self._connection.transaction():
            run(
                "INSERT INTO batchd_task (id, name, fingerprint, created_at) VALUES (1, 'floor', '', now())"
                " ON CONFLICT DO NOTHING"
            )
            run("INSERT INTO batchd_task_version VALUES (1, 1, '', '{}', now()) ON CONFLICT DO NOTHING")
            ((batch_id,),) = run(
                "INSERT INTO batchd_batch (uid, task_id, version_id, state, account, account_fingerprint, requests,"
                " input_bytes, input_sha256, created_at) VALUES (%s, 1, 1, 'built', 'bench', '', %s, %s, %s, now())"
                " RETURNING id",
                (sent.uid, sent.requests, sent.bytes, sent.sha256),
            ).fetchall()
            run(_EVENT, (batch_id, None, "built"))
            self._copy(
                "COPY batchd_request (batch_id, seq, key_int, key_text, key_hash, guard) FROM STDIN",
                ((batch_id, seq, key, "", "", f"{key:032x}") for seq, key in enumerate(keys, 1)),
            )
            ((now,),) = run("SELECT clock_timestamp()::text").fetchall()
            self._copy(
                "COPY batchd_gate (task_id, key_int, key_hash, key_text, state, batch_id, seq, changed_at) FROM STDIN",
                ((1, key, "", "", "open", batch_id, seq, now) for seq, key in enumerate(keys, 1)),
            )
        return int(batch_id)

    def move(self, batch_id: int, source: str, target: str, changes: dict[str, Any]) -> None:
        changed: Any = ", ".join(f"{name} = %s" for name in ("state", *changes))
        with self._connection.transaction(), self._connection.pipeline():
            self._connection.execute(
                f"UPDATE batchd_batch SET {changed} WHERE id = %s", (target, *changes.values(), batch_id)
            )
            self._connection.execute(_EVENT, (batch_id, source, target))

    def apply(self, batch_id: int, answers: Sequence[Answer], keys: Sequence[int]) -> None:
        run = self._connection.execute
        with self._connection.transaction():
            self._copy(
                "COPY stage FROM STDIN",
                ((one.seq, key, *one[1:]) for one, key in zip(answers, keys, strict=True)),
            )
            with self._connection.pipeline():
                run(_IMAGES, (batch_id,))
                run(_ROWS)
                run(_OUTCOMES, (*FINISHED, batch_id))
                run(
                    "DELETE FROM batchd_gate WHERE batch_id = %s AND seq BETWEEN %s AND %s",
                    (batch_id, answers[0].seq, answers[-1].seq),
                )
                run("UPDATE batchd_batch SET applied_at = clock_timestamp() WHERE id = %s", (batch_id,))

    def close(self) -> None:
        self._connection.close()

    def _copy(self, statement: Any, rows: Any) -> None:
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
