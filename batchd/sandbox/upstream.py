"""Answers lines by a real-time, OpenAI-compatible server, so that it can serve as a batch vendor."""

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import httpx2
import orjson

from batchd.sandbox.batches import BatchRecord, open_batches
from batchd.sandbox.clock import VirtualClock
from batchd.sandbox.line_runs import requests_of
from batchd.sandbox.standing import standing
from batchd.sandbox.state import State
from batchd.sandbox.vendor_errors import error_body

CONCURRENCY = 4
CHUNK = 16
PAUSE = 0.2
ATTEMPTS = 4
LONGEST_WAIT = 60.0
TIMEOUT = httpx2.Timeout(600.0, connect=10.0)
TOO_MANY, SERVER_ERROR, UNREACHABLE = 429, 500, 502


@dataclass(frozen=True)
class UpstreamAnswer:
    """What the upstream server said to one line."""

    status: int
    body: str

    @property
    def lasting(self) -> bool:
        """Whether asking again would bring nothing else."""
        return self.status != TOO_MANY and self.status < SERVER_ERROR


class UpstreamWorker:
    """Forwards the lines of batches in progress, a few at a time, and stores each answer as it comes.

    An answer that was stored is never asked for again; one that was on its way at a kill is.
    """

    def __init__(self, state: State, clock: VirtualClock, url: str, key_env: str | None) -> None:
        """Forward to ``url``, with or without ``/v1`` at its end; the key is in the variable ``key_env``."""
        key = os.environ.get(key_env) if key_env else None
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._state = state
        self._clock = clock
        self._base = url.rstrip("/").removesuffix("/v1")
        self._client = httpx2.Client(headers=headers, timeout=TIMEOUT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)

    def start(self) -> None:
        """Begin to work in the background."""
        self._thread.start()

    def close(self) -> None:
        """Stop; lines without an answer are asked again by the next start."""
        self._stop.set()
        self._client.close()

    def _run(self) -> None:
        with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="upstream") as pool:
            while not self._stop.wait(PAUSE):
                for batch in self._in_progress():
                    self._forward_chunk(batch, pool)

    def _in_progress(self) -> list[BatchRecord]:
        with self._state.transaction() as connection:
            now = self._clock.now(connection)
            return [
                batch
                for batch in open_batches(connection)
                if batch.created.upstream and standing(connection, batch, now).status == "in_progress"
            ]

    def _forward_chunk(self, batch: BatchRecord, pool: ThreadPoolExecutor) -> None:
        with self._state.transaction() as connection:
            done = _answered_lines(connection, batch)
        unanswered = (item for item in requests_of(self._state, batch) if item[0] not in done)
        list(pool.map(lambda item: self._forward(batch, *item), islice(unanswered, CHUNK)))

    def _forward(self, batch: BatchRecord, line: int, request: dict[str, Any]) -> None:
        answer = self._ask(request)
        if answer is None:
            return
        with self._state.transaction() as connection:
            connection.execute(
                "INSERT INTO upstream_answer (batch_id, line, status, body, answered_at) VALUES (?, ?, ?, ?, ?)",
                (batch.created.id, line, answer.status, answer.body, self._clock.now(connection)),
            )

    def _ask(self, request: dict[str, Any]) -> UpstreamAnswer | None:
        """Ask until there is a lasting answer or patience is over; None when the sandbox is stopping."""
        answer, wait = self._ask_once(request)
        for attempt in range(1, ATTEMPTS):
            if answer.lasting or self._stop.wait(wait or 0.5 * 2**attempt):
                break
            answer, wait = self._ask_once(request)
        return None if self._stop.is_set() else answer

    def _ask_once(self, request: dict[str, Any]) -> tuple[UpstreamAnswer, float | None]:
        try:
            reply = self._client.post(
                self._base + request["url"],
                content=orjson.dumps(request["body"]),
                headers={"content-type": "application/json"},
            )
        except (httpx2.HTTPError, RuntimeError):  # RuntimeError: the client was closed by our own stop
            body = error_body("The upstream server cannot be reached.", kind="server_error")
            return UpstreamAnswer(UNREACHABLE, orjson.dumps(body).decode()), None
        return UpstreamAnswer(reply.status_code, reply.text), _retry_after(reply)


def _answered_lines(connection: sqlite3.Connection, batch: BatchRecord) -> set[int]:
    rows = connection.execute("SELECT line FROM upstream_answer WHERE batch_id = ?", (batch.created.id,))
    return {row["line"] for row in rows}


def _retry_after(reply: httpx2.Response) -> float | None:
    try:
        return min(LONGEST_WAIT, max(0.0, float(reply.headers["retry-after"])))
    except (KeyError, ValueError):
        return None
