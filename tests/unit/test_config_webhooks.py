"""``[webhooks]`` and the secrets of vendors: what fits, and each thing that doesn't, with its line."""

import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from batchd.app.webhooks import webhook_keys
from batchd.config import config_json_schema
from batchd.errors import ConfigError
from tests.unit.config_texts import HEAD, TASK, load, problems

SECRET = 'webhook_secret = { env = "HOOKS" }\n'
LISTENS = "[webhooks]\nport = 8787\n"


def config(secret: str = SECRET, listens: str = LISTENS) -> str:
    """The small config with a secret (line 6) and a listener (line 7)."""
    return HEAD + secret + listens + TASK


def test_without_it_nothing_listens(tmp_path: Path) -> None:
    """Off unless it is written."""
    assert load(tmp_path, HEAD + TASK).webhooks is None


def test_a_listener_of_one_line(tmp_path: Path) -> None:
    """On this machine alone, at a path of its own."""
    webhooks = load(tmp_path, config()).webhooks

    assert webhooks is not None
    assert ("127.0.0.1", 8787, "/webhooks") == (webhooks.host, webhooks.port, webhooks.path)


@pytest.mark.parametrize(
    ("secret", "expected"),
    [(SECRET, (b"\0\1\2\3",)), ('webhook_secret = [{ env = "HOOKS" }, { env = "MORE" }]\n', (b"\0\1\2\3", b"plain"))],
)
def test_one_secret_or_several(
    secret: str, expected: tuple[bytes, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several while one is being changed; editors are told the same."""
    monkeypatch.setenv("HOOKS", "whsec_AAECAw==")
    monkeypatch.setenv("MORE", "plain")
    loaded = load(tmp_path, config(secret))

    assert {"local": expected} == webhook_keys(loaded)
    assert jsonschema_rs.is_valid(config_json_schema(), tomllib.loads(config(secret)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (config(listens="[webhooks]\n"), "7: webhooks.port: this key is missing"),
        (config(listens="[webhooks]\nport = 0\n"), "8: webhooks.port: must be at least 1, got 0"),
        (config(listens="[webhooks]\nport = 70000\n"), "8: webhooks.port: must be at most 65535, got 70000"),
        (
            config(listens=LISTENS + 'path = "hooks"\n'),
            '9: webhooks.path: expects a path such as "/webhooks", got "hooks"',
        ),
        (config(listens=LISTENS + "prot = 1\n"), "9: webhooks.prot: unknown key; did you mean port?"),
        (
            config(secret=""),
            "6: webhooks: no vendor has a webhook_secret, and without one nothing is believed; write it there",
        ),
        (
            config(secret='webhook_url = "https://x/"\n', listens=""),
            '6: vendors.local.webhook_url: needs webhook_secret = { env = "NAME" }, to sign with',
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(text: str, expected: str, tmp_path: Path) -> None:
    """One sentence each."""
    assert [expected] == problems(tmp_path, text)


@pytest.mark.parametrize("secret", ['"whsec_PLANTED"', '["whsec_PLANTED"]', '[{ env = "A" }, "whsec_PLANTED"]'])
def test_a_written_secret_is_refused_and_not_repeated(secret: str, tmp_path: Path) -> None:
    """It is only referred to, alone and in a list."""
    (problem,) = problems(tmp_path, config(f"webhook_secret = {secret}\n"))

    assert problem.startswith("6: vendors.local.webhook_secret")
    assert "a secret is not written in the config" in problem
    assert "PLANTED" not in problem


def test_a_secret_that_nobody_listens_with_is_warned_of(tmp_path: Path) -> None:
    """It is allowed, and probably not meant."""
    (warning,) = load(tmp_path, config(listens="")).warnings

    assert "vendors.local.webhook_secret: nothing listens without [webhooks] and its port" == warning.message


@pytest.mark.parametrize(
    ("kept", "expected"), [("", "HOOKS is not set"), ("whsec_*PLANTED*", "vendors.local.webhook_secret: what follows")]
)
def test_a_secret_that_is_none_has_its_line(
    kept: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not repeated."""
    monkeypatch.setenv("HOOKS", kept)
    loaded = load(tmp_path, config())
    with pytest.raises(ConfigError, match=expected) as raised:
        webhook_keys(loaded)

    assert raised.value.where.endswith("config.toml:6")
    assert "PLANTED" not in str(raised.value)
