"""The systemd unit that runs this config, if one does: asked of systemctl and systemd-analyze, which change nothing."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from batchd.app.doctor.config_files import secrets_of
from batchd.app.remarks import Remark
from batchd.config import Config
from batchd.errors import ConfigError

_SUBJECT = "service"
_RUNNING_SYSTEMD = Path("/run/systemd/system")
# Where the unit that batchd comes with looks for its configs.
_CONFIGS = Path("/etc/batchd")
_SECONDS = 10
_ASKED = ("LoadState", "ActiveState", "SubState", "Result", "Type", "WatchdogUSec", "NRestarts", "FragmentPath")
_MOST_EXPOSED = 1.5
_EXPOSURE = re.compile(r"Overall exposure level for \S+: (?P<level>\d+(?:\.\d+)?)")
_CREDENTIAL = re.compile(r"^\s*(?:Load|Set)Credential(?:Encrypted)?=([^:\s]+):?", re.MULTILINE)


def look_at_service(config: Config) -> Iterator[Remark]:
    """How the instance for this config stands."""
    if not _RUNNING_SYSTEMD.is_dir() or shutil.which("systemctl") is None:
        yield Remark("ok", _SUBJECT, "does not apply: no systemd runs here")
        return
    if config.path.parent != _CONFIGS or config.path.suffix != ".toml":
        yield Remark(
            "ok", _SUBJECT, f"does not apply: the unit batchd@NAME reads {_CONFIGS}/NAME.toml, not this config"
        )
        return
    unit = f"batchd@{config.path.stem}.service"
    told = _properties(unit)
    if told.get("LoadState") != "loaded":
        remedy = "install packaging/systemd/batchd@.service in /etc/systemd/system; then: systemctl daemon-reload"
        yield Remark("warning", _SUBJECT, f"{unit} is not installed ({told.get('LoadState', 'unknown')})", remedy)
        return
    yield _activity(unit, told)
    yield from _settings(unit, told)
    yield from _credentials(config, unit)
    yield from _exposure(told.get("FragmentPath", ""))


def _activity(unit: str, told: Mapping[str, str]) -> Remark:
    state = f"{told.get('ActiveState', 'unknown')} ({told.get('SubState', 'unknown')})"
    if told.get("ActiveState") in {"active", "activating", "reloading"}:
        return Remark("ok", _SUBJECT, f"{unit} is {state}")
    if told.get("ActiveState") == "failed":
        sentence = f"{unit} has failed ({told.get('Result', 'unknown')})"
        return Remark("problem", _SUBJECT, sentence, f"journalctl -u {unit} -n 50", 1)
    return Remark("warning", _SUBJECT, f"{unit} is {state}: nothing runs this config", f"systemctl start {unit}")


def _settings(unit: str, told: Mapping[str, str]) -> Iterator[Remark]:
    compare = f"compare it with packaging/systemd/batchd@.service: systemctl cat {unit}"
    kind = told.get("Type", "unknown")
    if kind != "notify":
        sentence = f"Type is {kind}, not notify: it counts as started too early, and does not tell what it is at"
        yield Remark("warning", _SUBJECT, sentence, compare)
    if told.get("WatchdogUSec", "0") in {"0", "infinity"}:
        yield Remark("warning", _SUBJECT, "no watchdog: a run that hangs is not started again", compare)
    restarts = told.get("NRestarts", "0")
    if restarts not in {"", "0"}:
        times = "once" if restarts == "1" else f"{restarts} times"
        sentence = f"it was started again by systemd {times} since it was last started by hand"
        yield Remark("warning", _SUBJECT, sentence, f"journalctl -u {unit} -p warning")


def _credentials(config: Config, unit: str) -> Iterator[Remark]:
    """A credential of the config that the unit does not hand over would keep it from starting."""
    wanted = {secret.credential for _, secret in secrets_of(config) if secret.credential}
    if not wanted:
        return
    given = set(_CREDENTIAL.findall(_said("systemctl", "cat", unit)))
    for name in sorted(wanted - given):
        sentence = f"{unit} hands over no credential {name}, which the config refers to"
        remedy = f"systemctl edit {unit}: [Service] LoadCredential={name}:/etc/batchd/credentials/{name}"
        yield Remark("problem", _SUBJECT, sentence, remedy, ConfigError.exit_code)
    if wanted <= given:
        yield Remark(
            "ok", _SUBJECT, f"it is given the credentials that the config refers to: {', '.join(sorted(wanted))}"
        )


def _exposure(fragment: str) -> Iterator[Remark]:
    if not fragment or shutil.which("systemd-analyze") is None:
        return
    matched = _EXPOSURE.search(_said("systemd-analyze", "security", "--offline=yes", "--no-pager", fragment))
    if matched is None:
        return
    level = float(matched["level"])
    told = f"exposure {level:.1f} of 10, as systemd-analyze security counts it"
    if level <= _MOST_EXPOSED:
        yield Remark("ok", _SUBJECT, told)
    else:
        remedy = "compare it with packaging/systemd/batchd@.service"
        yield Remark(
            "warning", _SUBJECT, f"{told}; the unit that batchd comes with has {_MOST_EXPOSED} or less", remedy
        )


def _properties(unit: str) -> dict[str, str]:
    lines = _said("systemctl", "show", unit, f"--property={','.join(_ASKED)}").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _said(*command: str) -> str:
    """What a command says on stdout; nothing where it fails or takes too long."""
    try:
        return subprocess.run(  # noqa: S603 - our own words, and no shell
            command, capture_output=True, text=True, timeout=_SECONDS, check=False, errors="replace"
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
