"""What the doctor makes of a systemd unit, as systemctl and systemd-analyze tell of it."""

from pathlib import Path
from typing import Any

import pytest

from batchd.app.doctor import service
from batchd.app.remarks import Remark
from batchd.config import Config, load_config

CONFIG = """
[database]
url = "sqlite:///a.db"

[vendors.openai]
kind = "openai"
api_key = { credential = "key" }
"""
WELL = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success", "Type": "notify",
    "WatchdogUSec": "2min", "NRestarts": "0", "FragmentPath": "/etc/systemd/system/batchd@.service",
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A config where the unit looks for it, on a machine with systemd."""
    monkeypatch.setattr(service, "_CONFIGS", tmp_path)
    monkeypatch.setattr(service, "_RUNNING_SYSTEMD", tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/there")
    (tmp_path / "resumes.toml").write_text(CONFIG, encoding="utf-8")
    return load_config(tmp_path / "resumes.toml")


def look(monkeypatch: pytest.MonkeyPatch, config: Config, exposure: str = "1.3", cat: str = "", **changes: Any) -> Any:
    """Level and next command of each remark."""

    def said(*command: str) -> str:
        if command[1] == "show":
            assert command[2] == "batchd@resumes.service"
            return "".join(f"{name}={value}\n" for name, value in (WELL | changes).items())
        return cat or "LoadCredential=key:/etc/k\n" if command[1] == "cat" else _exposure(exposure)

    monkeypatch.setattr(service, "_said", said)
    remarks: list[Remark] = list(service.look_at_service(config))
    return [(one.level, one.next_command, one.exit_code) for one in remarks if one.level != "ok"]


def _exposure(level: str) -> str:
    return f"→ Overall exposure level for batchd@.service: {level} OK :-)\n"


def test_a_unit_as_batchd_brings_it_is_well(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded, at work, with its credential, closed."""
    assert [] == look(monkeypatch, config)


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"LoadState": "not-found"}, ("warning", 0), "daemon-reload"),
        ({"ActiveState": "inactive", "SubState": "dead"}, ("warning", 0), "systemctl start batchd@resumes.service"),
        ({"ActiveState": "failed"}, ("problem", 1), "journalctl -u batchd@resumes.service"),
        ({"Type": "simple"}, ("warning", 0), "compare"),
        ({"WatchdogUSec": "0"}, ("warning", 0), "compare"),
        ({"NRestarts": "3"}, ("warning", 0), "journalctl"),
        ({"exposure": "4.2"}, ("warning", 0), "compare"),
        ({"cat": "LoadCredential=other:/x\n"}, ("problem", 10), "LoadCredential=key:"),
    ],
)
def test_what_is_wrong_with_it_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], expected: tuple[str, int], words: str
) -> None:
    """One remark, with the next command."""
    (found,) = look(monkeypatch, config, **changes)

    assert (expected, True) == ((found[0], found[2]), words in found[1])


def test_a_config_of_no_unit_is_none_of_its_business(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor is a machine without systemd."""
    monkeypatch.setattr(service, "_CONFIGS", tmp_path / "elsewhere")
    assert [] == look(monkeypatch, config)

    monkeypatch.setattr(service, "_RUNNING_SYSTEMD", tmp_path / "nowhere")
    (only,) = service.look_at_service(config)
    assert ("ok", "does not apply: no systemd runs here") == (only.level, only.sentence)
