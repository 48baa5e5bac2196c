"""The instant vendor as the bench sees it: a process beside the measured one, asked what it has cost."""

import json
import subprocess
import sys
import urllib.request
from typing import Any, Self

from tests.bench.process import ROOT, plain_environment

_PLAIN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_PATIENCE = 60.0


class VendorProcess:
    """A vendor that runs as long as this object is open; ``url`` is its base URL."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.vendor"],
            cwd=ROOT,
            env=plain_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is meant for the bench, which closes it.
            start_new_session=True,
        )
        self.url = self._process.stdout.readline().strip() if self._process.stdout else ""

    def forget(self) -> None:
        """Empties it, and begins to count anew."""
        self._ask("DELETE")

    def told(self) -> dict[str, Any]:
        """Seconds and bytes since it was emptied."""
        return self._ask("GET")

    def _ask(self, method: str) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url.removesuffix('/v1')}/_bench", method=method)  # noqa: S310 - our own
        with _PLAIN.open(request, timeout=_PATIENCE) as reply:
            found: dict[str, Any] = json.load(reply)
            return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
