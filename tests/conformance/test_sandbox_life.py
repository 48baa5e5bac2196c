"""The life of a sandbox process: started, joined, restarted, and never left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from batchd.sandbox_process import SandboxStartError, Upstream, start_or_join
from tests.conformance.sandbox_calls import Sandbox, chat_line

STARTER = """
import sys, time
from pathlib import Path
from batchd.sandbox_process import start_or_join
handle = start_or_join(Path(sys.argv[1]), batch_duration=0)
print(handle.started, handle.url, flush=True)
time.sleep(60)
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state file of its own."""
    return tmp_path / "state.db"


@pytest.fixture
def starter(state: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts processes that hold the sandbox; ends those that are left."""
    processes: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(state)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def server_pid(state: Path) -> int:
    """The process that serves a state."""
    return int(json.loads(state.with_name("state.db.server.json").read_text())["pid"])


def wait_for(condition: Callable[[], bool], limit: float = 10.0) -> bool:
    """Wait until a condition holds; tell whether it did."""
    deadline = time.monotonic() + limit
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_second_user_joins_and_the_last_one_ends_it(state: Path) -> None:
    """The server outlives its starter while another uses it, and ends with its last user."""
    starter = start_or_join(state, batch_duration=0)
    joined = start_or_join(state, batch_duration=7)
    pid = server_pid(state)
    starter.close()
    settings = Sandbox(joined.url).control("GET", "settings")
    joined.close()

    assert (starter.started, joined.started) == (True, False)
    assert starter.url == joined.url
    assert settings["batch_duration"] == 7
    assert wait_for(lambda: has_ended(pid))
    assert not state.with_name("state.db.server.json").exists()


def test_whoever_comes_as_it_ends_gets_a_server_that_stays(state: Path) -> None:
    """A server that has seen its last user go takes no new one: it would be gone before its first call."""
    for _ in range(4):
        start_or_join(state, batch_duration=0).close()
        time.sleep(0.02)
        with start_or_join(state, batch_duration=0) as handle:
            pid = server_pid(state)
            assert not wait_for(partial(has_ended, pid), limit=0.4), "the server ended under its user"
            assert Sandbox(handle.url).control("GET", "settings")["batch_duration"] == 0


def test_the_state_survives_a_restart(state: Path) -> None:
    """A batch goes on while no server runs, its results come once, and faults and clock are kept."""
    with start_or_join(state, batch_duration=0.2) as handle:
        first = Sandbox(handle.url)
        batch = first.create([chat_line("a")])
        first.control("PUT", "faults", {"batches": {"list_order": "oldest"}})
        first.advance(1000)
        pid = server_pid(state)
    assert wait_for(lambda: has_ended(pid))
    with start_or_join(state, batch_duration=0) as handle:
        second = Sandbox(handle.url)
        finished = second.client.batches.retrieve(batch.id)
        answers = second.lines(finished.output_file_id)
        account = second.control("GET", "account")
        clock = second.control("GET", "clock")
        faults = second.control("GET", "faults")

    assert (handle.started, finished.status, len(answers)) == (True, "completed", 1)
    assert account["requests_paid"] == 1
    assert clock["offset"] == pytest.approx(1000, abs=0.1)
    assert faults == {"batches": {"list_order": "oldest"}}


def test_a_killed_starter_leaves_no_server(state: Path, starter: Callable[[], subprocess.Popen[str]]) -> None:
    """Even kill -9 of the only user ends the server."""
    process = starter()
    assert process.stdout is not None
    started = process.stdout.readline().split()[0]
    pid = server_pid(state)
    process.send_signal(signal.SIGKILL)

    assert started == "True"
    assert wait_for(lambda: has_ended(pid))


def test_a_killed_server_is_replaced(state: Path) -> None:
    """A stale address is not trusted: the next user starts a server that knows the old batches."""
    with start_or_join(state, batch_duration=0) as handle:
        batch = Sandbox(handle.url).create([chat_line("a")])
        os.kill(server_pid(state), signal.SIGKILL)
        with start_or_join(state, batch_duration=0) as other:
            status = Sandbox(other.url).client.batches.retrieve(batch.id).status

    assert other.started
    assert status == "completed"


def test_starters_at_the_same_time_share_one_server(
    starter: Callable[[], subprocess.Popen[str]],
) -> None:
    """Of several starters at once, one starts the server and the others join it."""
    processes = [starter() for _ in range(3)]
    told = [process.stdout.readline().split() for process in processes if process.stdout is not None]

    assert sorted(started for started, _ in told) == ["False", "False", "True"]
    assert len({url for _, url in told}) == 1


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    """The error carries the end of the server's log."""
    state = tmp_path / "state.db"
    state.write_text("this is no database, but long enough to look like one" * 50)

    with pytest.raises(SandboxStartError, match="file is not a database"):
        start_or_join(state, batch_duration=0)


class _Model(BaseHTTPRequestHandler):
    """A real-time server that is busy at first, and answers with the text that it was asked."""

    asked = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        type(self).asked += 1
        busy = type(self).asked == 1
        message = {"role": "assistant", "content": body["messages"][0]["content"].upper()}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        reply = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
        content = json.dumps({} if busy else reply).encode()
        self.send_response(429 if busy else 200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After", "0.1")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def test_an_upstream_server_answers_the_lines(state: Path) -> None:
    """Lines are forwarded, asked again while the server is busy; the batch ends with the last answer."""
    model = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    upstream = Upstream(f"http://127.0.0.1:{model.server_port}/v1")
    with start_or_join(state, batch_duration=0, upstream=upstream) as handle:
        sandbox = Sandbox(handle.url)
        batch = sandbox.run([chat_line(str(n), f"text {n}") for n in range(20)])
        lines = sandbox.lines(batch.output_file_id)
        account = sandbox.control("GET", "account")
    model.shutdown()
    model.server_close()
    answers = {line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"] for line in lines}

    assert batch.status == "completed"
    assert answers == {str(n): f"TEXT {n}" for n in range(20)}
    assert (account["requests_paid"], account["input_tokens"]) == (20, 100)
