"""Being told of findings, as the command does it: by a webhook and a command, from a config that names them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.cli.telling import next_command
from tests.acceptance.cli_world import REPOSITORY, World
from tests.fakes.ears import Ears, listening

# Its rows can't be written: the check refuses what the sandbox answers.
REFUSING = "CREATE TRIGGER no BEFORE UPDATE ON people BEGIN SELECT RAISE(ABORT, 'no'); END"
PLANTED = "sk-planted-0123456789"
RUN = ("run", "--until-idle", "--json")


@pytest.fixture
def ears() -> Iterator[Ears]:
    """A server that answers 204."""
    with listening() as found:
        yield found


@pytest.fixture
def refusing(world: World) -> World:
    """A world whose rows become poison."""
    world.sql(REFUSING)
    return world


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_run_tells_a_finding_once_by_each_way(refusing: World, ears: Ears) -> None:
    """The URL is read from where it is kept and shown nowhere; a key of the environment goes to nobody."""
    seen = refusing.folder / "seen"
    tell = program(refusing.folder, "tell", f"#!/bin/sh\ncat >> {seen}; env >> {seen}\n")
    refusing.write_config(f'[notify]\nwebhook = {{ env = "HOOK" }}\ncommand = ["{tell}"]\n')
    url = f"{ears.url}/hooks/T0PSECRET"

    ran = [refusing.run(*RUN, HOOK=url, OPENAI_API_KEY=PLANTED) for _ in range(2)]

    ((path, _, document),) = ears.heard
    assert "/hooks/T0PSECRET" == path
    assert ("poison-rows", "task people", str(refusing.config)) == tuple(
        document[name] for name in ("kind", "subject", "config")
    )
    assert 1 == seen.read_text(encoding="utf-8").count('"kind": "poison-rows"')
    said = "".join(one.stdout + one.stderr for one in ran)
    assert 1 == said.count('"event": "finding.opened"') == said.count('"event": "notify.told"')
    everything = said + seen.read_text(encoding="utf-8") + json.dumps(document) + str(refusing.sql(_FINDINGS))
    assert PLANTED not in everything
    assert "T0PSECRET" not in everything


def test_a_way_that_fails_is_said_and_rows_go_on(refusing: World, ears: Ears) -> None:
    """With a code, and no word of the URL; the run ends as it would have."""
    ears.status = 500
    refusing.write_config(f'[notify]\nwebhook = "{ears.url}/T0PSECRET"\n')

    ran = refusing.run(*RUN)

    (failed,) = (json.loads(line) for line in ran.stderr.splitlines() if "notify.failed" in line)
    assert ("webhook", "http_500", 1) == (failed["way"], failed["code"], failed["tries"])
    assert "T0PSECRET" not in ran.stdout + ran.stderr
    assert 3 == ran.returncode
    assert [(0,)] == refusing.sql("SELECT count(*) FROM batchd_batch WHERE closed_at IS NULL")


def test_check_config_looks_at_the_ways_and_tells_nobody(world: World, ears: Ears) -> None:
    """Fine, a program that is not there, a URL that is not where the config says: each in words."""
    world.write_config(f'[notify]\nwebhook = "{ears.url}/T0PSECRET"\ncommand = ["true"]\nmin_priority = 1\n')
    good = world.run("check-config")
    world.write_config('[notify]\ncommand = ["/no/such/program"]\n')
    no_program = world.run("check-config")
    world.write_config('[notify]\nwebhook = { env = "NO_SUCH_VARIABLE" }\n')
    no_url = world.run("check-config")

    assert "ok       notify: findings of priority 1 are told by webhook and command" in good.stdout
    assert "notify.command: there is no program /no/such/program that can be run here" in no_program.stdout
    assert "the environment variable NO_SUCH_VARIABLE is not set" in no_url.stdout
    assert (0, 10, 10) == (good.returncode, no_program.returncode, no_url.returncode)
    assert [] == ears.heard
    assert "T0PSECRET" not in good.stdout + good.stderr


def test_a_trial_shows_whether_each_way_is_heard(world: World, ears: Ears) -> None:
    """The real ways, with a document like a finding's; why one fails in a word, and what next. No ledger is needed."""
    heard = world.folder / "heard"
    tell = program(world.folder, "tell", f'#!/bin/sh\necho "$BATCHD_FINDING_TEXT" > {heard}\n')
    world.write_config(f'[notify]\nwebhook = "{ears.url}/T0PSECRET"\ncommand = ["{tell}"]\n')
    good = world.run("notify-test")
    ears.status = 404
    world.write_config(f'[notify]\nwebhook = "{ears.url}/T0PSECRET"\ncommand = ["sh", "-c", "exit 3"]\n')
    bad, document = world.run("notify-test"), world.run("notify-test", "--json")
    world.write_config()
    without = world.run("notify-test")

    (path, _, told), *_ = ears.heard
    assert ("/T0PSECRET", "test", "notify") == (path, told["kind"], told["subject"])
    assert "nothing is wrong" in told["text"]
    assert heard.read_text("utf-8").strip() == told["text"]
    assert good.stdout.splitlines() == [
        f"ok       {way}: told; see whether it has arrived" for way in ("webhook", "command")
    ]
    assert "problem  webhook: http_404\n         next: see whether the URL is still right" in bad.stdout
    assert "problem  command: exit_3\n         next: run the program by hand" in bad.stdout
    assert [("webhook", False, "http_404"), ("command", False, "exit_3")] == [
        (one["way"], one["told"], one["code"]) for one in json.loads(document.stdout)["ways"]
    ]
    assert "has no [notify]" in without.stderr
    assert (0, 1, 1, 10) == tuple(one.returncode for one in (good, bad, document, without))
    assert "T0PSECRET" not in "".join(one.stdout + one.stderr for one in (good, bad, document))


def test_every_code_of_a_way_that_failed_has_a_next_command() -> None:
    """Those that the messengers make; a new one needs its own."""
    text = (REPOSITORY / "batchd" / "messengers.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'"(\w+)(?:_\{[^"]*)?"', "".join(re.findall(r"raise UntoldError\([^\n]*", text))))

    assert {"timeout", "unreachable", "not_found", "not_started", "http", "exit", "signal"} == codes
    assert all(next_command(code) for code in (*codes, "http_503", "exit_1", "signal_9"))


def test_the_mail_of_the_how_to_is_sent_as_it_stands_there(refusing: World) -> None:
    """The script of docs/how-to/be-notified.md, with a program called sendmail that writes down what it is given."""
    page = (REPOSITORY / "docs" / "how-to" / "be-notified.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", page, re.DOTALL)
    mailer = program(refusing.folder, "batchd-mail", script)
    mail = refusing.folder / "mail"
    (refusing.folder / "bin").mkdir()
    program(refusing.folder / "bin", "sendmail", f'#!/bin/sh\necho "$@" > {mail}; cat >> {mail}\n')
    refusing.write_config(f'[notify]\ncommand = ["{mailer}", "ops@example.org"]\n')

    refusing.run(*RUN, PATH=f"{refusing.folder / 'bin'}:/usr/bin:/bin")

    arguments, *lines = mail.read_text(encoding="utf-8").splitlines()
    assert "-t" == arguments
    assert "To: ops@example.org" == lines[0]
    assert "Subject: batchd: poison-rows (task people)" in lines
    assert any("batchd failures --task people" in line for line in lines[lines.index("") :])


_FINDINGS = "SELECT kind, subject, detail, next_command, notified_by FROM batchd_finding"
