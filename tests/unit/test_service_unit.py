"""The systemd unit and its companion, judged by systemd's own tools and run with stand-ins for the rest."""

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from batchd.cli import exit_codes
from tests.small_disk import not_run

FOLDER = Path(__file__).resolve().parents[2] / "packaging" / "systemd"
UNIT = FOLDER / "batchd@.service"
PROGRAM = "/usr/local/bin/batchd"
CONFIGS = "/etc/batchd"
# `systemd-analyze security --offline` is as old.
OLDEST = 250
# Of 10, where 10 is a service that may do everything.
EXPOSURE = 1.5


def settings(text: str) -> list[tuple[str, str]]:
    """Names and values of a unit's lines."""
    return re.findall(r"^([A-Z]\w+)=(.*)$", text, re.MULTILINE)


def setting(name: str) -> str:
    """The value of a line that stands once."""
    (value,) = [value for found, value in settings(UNIT.read_text(encoding="utf-8")) if found == name]
    return value


@pytest.fixture
def analyze() -> str:
    """Systemd's own judge of units."""
    found = shutil.which("systemd-analyze")
    if found is None:
        not_run("the systemd unit (install systemd)")
    told = subprocess.run([str(found), "--version"], capture_output=True, text=True, check=True).stdout
    if int(told.split()[1]) < OLDEST:
        not_run(f"the systemd unit (it needs systemd {OLDEST} or later)")
    return str(found)


def test_the_unit_is_locked_up_well(analyze: str) -> None:
    """systemd-analyze finds an exposure of 1.5 or better, without a running systemd."""
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", str(UNIT)], capture_output=True, text=True, check=True
    )
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)

    assert float(exposure) <= EXPOSURE


def test_systemd_understands_every_line(analyze: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say about it, with a program that exists here."""
    there = tmp_path / "batchd@there.service"
    there.write_text(UNIT.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true"), encoding="utf-8")
    done = subprocess.run([analyze, "verify", "--man=no", str(there)], capture_output=True, text=True, check=False)
    # What is wrong with other units of the machine is not ours to mend.
    about_it = [line for line in done.stderr.splitlines() if "batchd@" in line]

    assert about_it == []
    assert done.returncode == 0


def test_it_starts_again_only_where_that_can_help() -> None:
    """A wrong command line, config or key waits for a person; a database that is away is waited for, however long."""
    given_up = {exit_codes.USAGE, exit_codes.VENDOR_AUTH, exit_codes.CONFIG}

    assert set(map(int, setting("RestartPreventExitStatus").split())) == given_up
    assert setting("Restart") == "on-failure"
    assert setting("StartLimitIntervalSec") == "0"


def test_the_log_goes_to_the_journal() -> None:
    """Without a line of its own, stderr goes where stdout goes: nowhere."""
    assert (setting("StandardOutput"), setting("StandardError")) == ("null", "journal")


@pytest.fixture
def companion(tmp_path: Path) -> Path:
    """batchd-service, with a folder of configs and systemd's commands that only tell what they were asked."""
    unit = tmp_path / "unit"
    unit.write_text(
        UNIT.read_text(encoding="utf-8") + "\n# /etc/systemd/system/batchd@resumes.service.d/override.conf\n"
        "[Service]\n; a comment\nLoadCredential=key:/etc/batchd/credentials/key\n"
        "Environment=KRB5_CLIENT_KTNAME=%d/keytab \\\n    CLIENT=%i\n[Unit]\nAfter=other.service\n",
        encoding="utf-8",
    )
    for name, does in {"systemctl": f'cat "{unit}"', "systemd-run": r'printf "%s\n" "$@"; exit 20'}.items():
        stand_in = tmp_path / "bin" / name
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        stand_in.chmod(0o755)
    (tmp_path / "resumes.toml").touch()
    script = tmp_path / "batchd-service"
    text = (FOLDER / "batchd-service").read_text(encoding="utf-8")
    script.write_text(text.replace(CONFIGS, str(tmp_path)), encoding="utf-8")
    return script


def called(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{script.parent / 'bin'}:/usr/bin:/bin"
    return subprocess.run(
        ["/bin/bash", str(script), *arguments], env={"PATH": path}, capture_output=True, text=True, check=False
    )


def test_a_command_runs_with_all_that_the_service_has(companion: Path) -> None:
    """User, folders, credentials and restrictions of unit and drop-ins, in their order; its exit code is the end."""
    done = called(companion, "resumes", "show", "a b")
    words = done.stdout.splitlines()
    properties = [value for flag, value in pairwise(words) if flag == "--property"]
    (unit,) = [value for flag, value in pairwise(words) if flag == "--unit"]

    assert words[-3:] == [PROGRAM, "show", "a b"]
    assert done.returncode == exit_codes.HELD
    assert {"User=batchd-resumes", "StateDirectory=batchd/resumes", "ProtectSystem=strict"} < set(properties)
    assert properties[-2:] == [
        "LoadCredential=key:/etc/batchd/credentials/key",
        f"Environment=KRB5_CLIENT_KTNAME=/run/credentials/{unit}/keytab      CLIENT=resumes",
    ]


def test_a_command_has_nothing_of_what_starts_and_watches_the_service(companion: Path) -> None:
    """Of the unit's section for the service, a command leaves out these lines and no other."""
    given = {value.partition("=")[0] for value in called(companion, "resumes", "status").stdout.splitlines()}
    whole = UNIT.read_text(encoding="utf-8")
    service = {name for name, _ in settings(whole[whole.index("[Service]") : whole.index("[Install]")])}

    assert service - given == {
        "Type",
        "NotifyAccess",
        "ExecStart",
        "ExecReload",
        "Restart",
        "RestartSec",
        "RestartPreventExitStatus",
        "TimeoutStartSec",
        "TimeoutStopSec",
        "WatchdogSec",
        "KillMode",
        "StandardOutput",
        "StandardError",
    }
    assert {"After", "WantedBy", "Description"} & given == set()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [((), 2, "Usage: batchd-service NAME"), (("resumes",), 2, "Usage"), (("other", "status"), 10, "no config")],
)
def test_a_slip_starts_nothing(companion: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    """A service that is not there would get a user and folders by the mere question."""
    done = called(companion, *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
