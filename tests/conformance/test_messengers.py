"""The ways to tell people of a finding, on a real HTTP server and with real commands."""

import datetime as dt
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchd.core.notices import Notice
from batchd.messengers import Command, Webhook
from batchd.ports import Messenger, UntoldError
from tests.fakes.ears import Ears, listening

ORIGIN = {"host": "db7", "config": "/etc/batchd/config.toml"}
KEY = "sk-planted-0123456789"
NOTICE = Notice(
    id=7,
    kind="unknown-submit",
    subject="batch 12",
    priority=1,
    detail="seen “nowhere”",
    next_command="batchd resolve 12",
    since=dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
)
MEANING = "nobody knows whether the vendor created this batch; sending it again could pay for it twice"
DOCUMENT = {
    "text": f"batchd: unknown-submit (batch 12): {MEANING} (seen “nowhere”); next: batchd resolve 12",
    "priority": 1,
    "kind": "unknown-submit",
    "subject": "batch 12",
    "meaning": MEANING,
    "detail": "seen “nowhere”",
    "since": "2026-01-02T03:04:05+00:00",
    "next_command": "batchd resolve 12",
    "page": "docs/runbook/unknown-submit.md",
    **ORIGIN,
}


@pytest.fixture
def ears() -> Iterator[Ears]:
    """A server that answers 204."""
    with listening() as found:
        yield found


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test's command writes its input and its environment; a key is in batchd's own environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path / "seen"


def script(folder: Path, *lines: str) -> str:
    """A program that people are told by."""
    path = folder / "tell"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def code_of(way: Messenger) -> str:
    """Why a finding could not be told."""
    with pytest.raises(UntoldError) as raised:
        way.tell(NOTICE)
    assert raised.value.__cause__ is None
    return raised.value.code


def test_a_finding_is_posted_as_one_document(ears: Ears) -> None:
    """Facts, meaning, next command and where it is from, once."""
    Webhook(f"{ears.url}/hooks/secret?token=1", 5.0, ORIGIN).tell(NOTICE)

    ((path, headers, document),) = ears.heard
    assert ("/hooks/secret?token=1", "application/json") == (path, headers["Content-Type"])
    assert document == DOCUMENT


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_another_answer_than_a_good_one_is_a_failure(ears: Ears, status: int) -> None:
    """Its number is the code; nothing of the URL or the answer is."""
    ears.status = status

    assert f"http_{status}" == code_of(Webhook(f"{ears.url}/secret", 5.0, ORIGIN))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_webhook_is_not_led_elsewhere(ears: Ears, status: int) -> None:
    """A POST that is led on becomes a GET that tells nobody anything, and would count as told."""
    ears.status, ears.location = status, f"{ears.url}/elsewhere"

    found = code_of(Webhook(f"{ears.url}/secret", 5.0, ORIGIN))

    assert (f"http_{status}", [], 1) == (found, ears.asked, len(ears.heard))


def test_a_server_that_does_not_answer_is_not_waited_for(ears: Ears) -> None:
    """The timeout is the config's."""
    ears.wait = threading.Event()
    begun = time.monotonic()

    found = code_of(Webhook(ears.url, 0.2, ORIGIN))

    assert "timeout" == found
    assert time.monotonic() - begun < 5.0


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://[broken/"])
def test_a_server_that_is_not_there_is_a_failure(url: str) -> None:
    """Whatever the library calls it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert "unreachable" == code_of(Webhook(url.format(port=port), 5.0, ORIGIN))


def test_a_command_is_given_the_finding_and_nothing_of_batchds_secrets(tmp_path: Path, seen: Path) -> None:
    """JSON on its input, facts in its environment, its arguments as they are; no key that batchd has there."""
    words = [script(tmp_path, f'cat > {seen}; env >> {seen}; echo "$1" >> {seen}'), "$HOME; rm -rf /"]

    Command(words, 5.0, ORIGIN).tell(NOTICE)

    first, *lines = seen.read_text(encoding="utf-8").splitlines()
    document: dict[str, Any] = json.loads(first.partition("}")[0] + "}")
    environment = dict(line.split("=", 1) for line in (first.partition("}")[2], *lines[:-1]))
    told = {name.removeprefix("BATCHD_FINDING_").lower(): value for name, value in environment.items()}
    assert document == DOCUMENT
    assert {name: str(value) for name, value in DOCUMENT.items()} == {name: told[name] for name in DOCUMENT}
    assert lines[-1] == "$HOME; rm -rf /"
    assert environment["PATH"] == os.environ["PATH"]
    assert KEY not in seen.read_text(encoding="utf-8")


def test_a_name_with_a_break_in_it_is_one_line(tmp_path: Path, seen: Path) -> None:
    """A mail's headers are made of these; what a name says must not become one."""
    odd = Notice(7, "overdue", "batch 1\nBcc: all@example.org", 2, "", "batchd show 1", NOTICE.since)

    Command([script(tmp_path, f'echo "$BATCHD_FINDING_SUBJECT" > {seen}')], 5.0, ORIGIN).tell(odd)

    assert seen.read_text(encoding="utf-8") == "batch 1 Bcc: all@example.org\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [("exit 3", "exit_3"), ("kill -9 $$", "signal_9"), ("cat > /dev/null; false", "exit_1")],
)
def test_an_end_that_is_not_0_is_a_failure(tmp_path: Path, line: str, code: str) -> None:
    """Also of one that does not read its input; what it prints is no one's."""
    assert code == code_of(Command([script(tmp_path, line)], 5.0, ORIGIN))


def test_a_command_that_does_not_read_may_still_work(tmp_path: Path, seen: Path) -> None:
    """It has all it needs in its environment."""
    Command([script(tmp_path, f'echo "$BATCHD_FINDING_KIND" > {seen}')], 5.0, ORIGIN).tell(NOTICE)

    assert NOTICE.kind == seen.read_text(encoding="utf-8").strip()


def test_a_command_that_hangs_is_killed_with_what_it_has_started(tmp_path: Path, seen: Path) -> None:
    """Nothing of it is left behind."""
    words = [script(tmp_path, f"sleep 60 & echo $! > {seen}; wait")]

    found = code_of(Command(words, 1.0, ORIGIN))

    child = int(seen.read_text(encoding="utf-8"))
    assert "timeout" == found
    assert _ends(child)


def test_a_command_that_hangs_and_may_not_be_killed_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with sudo: the process is root's by then. That people could not be told must not end the daemon."""

    def refuse(group: int, number: int) -> None:
        os.kill(group, number)
        raise PermissionError

    monkeypatch.setattr(os, "killpg", refuse)

    assert "timeout" == code_of(Command([script(tmp_path, "exec sleep 60")], 1.0, ORIGIN))


def test_a_config_whose_path_is_no_text_is_told_all_the_same(tmp_path: Path, seen: Path, ears: Ears) -> None:
    """A name of a file may have any bytes."""
    origin = {**ORIGIN, "config": "/etc/caf\udce9.toml"}

    Command([script(tmp_path, f"cat > {seen}")], 5.0, origin).tell(NOTICE)
    Webhook(ears.url, 5.0, origin).tell(NOTICE)

    ((_, _, document),) = ears.heard
    assert "/etc/caf?.toml" == document["config"] == json.loads(seen.read_text(encoding="utf-8"))["config"]


@pytest.mark.parametrize(("word", "code"), [("no-such-program-here", "not_found"), ("/etc/hostname", "not_started")])
def test_a_program_that_cannot_be_run_is_a_failure(word: str, code: str) -> None:
    """It is said in the log, and tried again; `batchd check-config` tells it beforehand."""
    assert code == code_of(Command([word], 5.0, ORIGIN))


def _ends(process: int) -> bool:
    """A process is gone, or only waits for its parent to be told so; given two seconds."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
