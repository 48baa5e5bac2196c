"""Starts the sandbox vendor in a process of its own, or joins the one that already serves a state file.

Whoever uses a sandbox shares a lock on ``<state>.users``. The server waits to have that lock alone, and ends
when it gets it. The kernel drops a lock however its holder ends, so no server outlives its last user.
"""

import fcntl
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import IO, Self

START_PATIENCE = 30.0
START_PAUSE = 0.02
ANSWER_PATIENCE = 5.0
TAIL_CHARACTERS = 2_000
PACKAGE_ROOT = Path(__file__).resolve().parents[1]
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SandboxStartError(Exception):
    """The sandbox did not come up; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Upstream:
    """A real-time, OpenAI-compatible server that answers lines; ``key_env`` is the variable with its key."""

    url: str
    key_env: str | None = None


@dataclass(frozen=True)
class Flavour:
    """Whose Batch API the sandbox imitates: ``openai``, or ``azure``, which alone the rest is for.

    ``deployments`` are the models behind the names of deployments (without any, every name is one),
    ``file_processing`` the seconds that an uploaded file stays pending.
    """

    name: str = "openai"
    deployments: Mapping[str, str] = field(default_factory=dict)
    file_processing: float = 1.0


@dataclass(frozen=True)
class Webhooks:
    """Where a sandbox tells that a batch has ended, and by which secrets it signs that."""

    url: str
    secrets: Sequence[str] = field(repr=False)


class SandboxHandle:
    """A user's hold on a running sandbox; the sandbox ends soon after its last holder has let go.

    ``url`` is the base URL for a client (``http://127.0.0.1:PORT/v1``; for ``azure`` the resource's endpoint, which is
    the same without ``/v1``), ``started`` tells whether this call started it.
    """

    def __init__(self, url: str, *, started: bool, users: IO[str]) -> None:
        self.url = url
        self.started = started
        self._users = users

    def close(self) -> None:
        """Let go of the sandbox; may be called again."""
        self._users.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_or_join(  # noqa: PLR0913, one keyword for each thing that a starter decides
    state: Path,
    *,
    batch_duration: float,
    api_key: str = "sandbox-key",
    faults: Mapping[str, object] | None = None,
    upstream: Upstream | None = None,
    token_limit: int | None = None,
    flavour: Flavour | None = None,
    webhooks: Webhooks | None = None,
) -> SandboxHandle:
    """Return a hold on the sandbox of a state file, started now if none serves it.

    ``batch_duration`` (seconds), ``token_limit`` and ``webhooks`` hold from now on; ``faults``, if given, replace
    those that are set. Key, upstream and deployments are those of whoever started it.

    Raises:
        SandboxStartError: the sandbox does not come up, does not answer, or is of another flavour.
    """
    flavour = flavour or Flavour()
    state = state.resolve()
    users = _take_users_lock(state)
    try:
        with _one_starter(state):
            url = _serving(state)
            started = url is None
            if url is None:
                url = _start(state, [*_arguments(state, batch_duration, api_key, upstream), *_flavoured(flavour)])
        _check_flavour(state, url, flavour)
        pace = {"batch_duration": batch_duration, "file_processing": flavour.file_processing}
        # Not as arguments of the server: anybody on the machine can read those.
        told = None if webhooks is None else {"url": webhooks.url, "secrets": list(webhooks.secrets)}
        _control(url, "POST", "settings", {**pace, "token_limit": token_limit, "webhooks": told})
        if faults is not None:
            _control(url, "PUT", "faults", faults)
    except OSError as error:
        users.close()
        raise SandboxStartError(f"the sandbox for {state} does not answer: {error}\n{_log_tail(state)}") from error
    except BaseException:
        users.close()
        raise
    return SandboxHandle(url, started=started, users=users)


def _beside(state: Path, ending: str) -> Path:
    return state.with_name(state.name + ending)


def _take_users_lock(state: Path) -> IO[str]:
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        users = _beside(state, ".users").open("a")
    except OSError as error:
        raise SandboxStartError(f"the sandbox cannot keep its state at {state}: {error}") from error
    fcntl.flock(users, fcntl.LOCK_SH)
    return users


@contextmanager
def _one_starter(state: Path) -> Iterator[None]:
    with _beside(state, ".start").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _serving(state: Path) -> str | None:
    """Return the URL of the sandbox that serves this state, None when none answers."""
    try:
        announced = json.loads(_beside(state, ".server.json").read_text())
        url = str(announced["url"])
        health = _control(url, "GET", "health")
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    return url if health.get("state") == str(state) else None


def _arguments(state: Path, batch_duration: float, api_key: str, upstream: Upstream | None) -> list[str]:
    arguments = ["--state", str(state), "--until-unused", str(_beside(state, ".users"))]
    arguments += ["--batch-duration", str(batch_duration), "--api-key", api_key]
    if upstream is not None:
        arguments += ["--upstream", upstream.url]
    if upstream is not None and upstream.key_env is not None:
        arguments += ["--upstream-key-env", upstream.key_env]
    return arguments


def _flavoured(flavour: Flavour) -> list[str]:
    arguments = ["--flavour", flavour.name, "--file-processing", str(flavour.file_processing)]
    for name, model in flavour.deployments.items():
        arguments += ["--deployment", f"{name}={model}"]
    return arguments


def _check_flavour(state: Path, url: str, flavour: Flavour) -> None:
    served = _control(url, "GET", "health").get("flavour")
    if served != flavour.name:
        raise SandboxStartError(f"the sandbox for {state} runs with the flavour {served}, not {flavour.name}")


def _start(state: Path, arguments: list[str]) -> str:
    with _beside(state, ".log").open("w") as log:
        # A session of its own: Ctrl-C in a terminal must not end it before the client has finished.
        # The package's own folder as working directory: the server runs the same code as its starter.
        process = subprocess.Popen(  # noqa: S603, our own module
            [sys.executable, "-m", "batchd.sandbox", *arguments],
            cwd=PACKAGE_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True, name="sandbox-reaper").start()
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        url = _serving(state)
        if url is not None:
            return url
        time.sleep(START_PAUSE)
    process.kill()
    raise SandboxStartError(f"the sandbox for {state} did not start.\n{_log_tail(state)}")


def _log_tail(state: Path) -> str:
    try:
        return _beside(state, ".log").read_text(errors="replace")[-TAIL_CHARACTERS:].strip()
    except OSError:
        return ""


def _control(url: str, method: str, name: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
    request = urllib.request.Request(  # noqa: S310, an address on this machine
        f"{url.removesuffix('/v1')}/_sandbox/{name}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
    )
    with NO_PROXY.open(request, timeout=ANSWER_PATIENCE) as reply:
        shown: dict[str, object] = json.load(reply)
        return shown
