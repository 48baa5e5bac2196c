"""The sandbox vendor of a drill: one server for many cases, and what it was paid for since a case began."""

import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

_PATIENCE = 30.0
_PLAIN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Vendor:
    """A sandbox server of its own process, that commands in the same folder join."""

    def __init__(self, folder: Path) -> None:
        self.state = (folder / "sandbox.db").resolve()
        self._log = (folder / "sandbox.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "batchd.sandbox", "--state", str(self.state), "--batch-duration", "0"],
            cwd=Path(__file__).resolve().parents[2],
            stdout=self._log,
            stderr=self._log,
        )
        self.url = self._announced()
        self._first_batch = 0

    def _announced(self) -> str:
        beside = self.state.with_name(self.state.name + ".server.json")
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                url = str(json.loads(beside.read_text(encoding="utf-8"))["url"]).removesuffix("/v1")
                self.url = url
                self.control("GET", "health")
            except (OSError, ValueError, KeyError):
                time.sleep(0.02)
            else:
                return url
        raise TimeoutError(f"the sandbox did not start; its log is {self._log.name}")

    def close(self) -> None:
        """Ends the server."""
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def control(self, method: str, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Calls a route under ``/_sandbox``."""
        request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
            f"{self.url}/_sandbox/{name}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
        )
        with _PLAIN.open(request, timeout=_PATIENCE) as reply:
            found: dict[str, Any] = json.load(reply)
            return found

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Calls a route of the Batch API, as somebody else with the same key would."""
        request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
            f"{self.url}/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": "Bearer sandbox-key", "Content-Type": "application/json"},
        )
        with _PLAIN.open(request, timeout=_PATIENCE) as reply:
            found: dict[str, Any] = json.load(reply)
            return found

    def begin(self, faults: Mapping[str, Any]) -> None:
        """Starts a case: these faults, and money counted from here on."""
        self.control("PUT", "faults", faults)
        with closing(sqlite3.connect(self.state, timeout=_PATIENCE)) as connection:
            (self._first_batch,) = connection.execute("SELECT coalesce(max(seq), 0) FROM batch").fetchone()

    def batches(self) -> int:
        """How many batches this case has made."""
        with closing(sqlite3.connect(self.state, timeout=_PATIENCE)) as connection:
            (found,) = connection.execute("SELECT count(*) FROM batch WHERE seq > ?", (self._first_batch,)).fetchone()
            return int(found)

    def newest(self) -> str:
        """The id of the batch that was made last."""
        with closing(sqlite3.connect(self.state, timeout=_PATIENCE)) as connection:
            (found,) = connection.execute("SELECT id FROM batch ORDER BY seq DESC LIMIT 1").fetchone()
            return str(found)

    def paid(self) -> Counter[str]:
        """How often each input was paid for in this case, by the hash of its text."""
        self.control("GET", "account")
        with closing(sqlite3.connect(self.state, timeout=_PATIENCE)) as connection:
            rows = connection.execute(
                "SELECT input_hash, count(*) FROM payment JOIN batch ON batch.id = payment.batch_id"
                " WHERE batch.seq > ? GROUP BY input_hash",
                (self._first_batch,),
            )
            return Counter({str(text): int(times) for text, times in rows})
