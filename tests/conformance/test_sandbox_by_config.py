"""What a config says of its sandbox reaches it."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from batchd import sandbox_process
from batchd.app.accounts import connect_named
from tests.unit.config_texts import HEAD, load


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", {"batch_duration": 5.0, "file_processing": 1.0, "token_limit": None, "webhook_url": None}),
        (
            'batch_duration = "2m"\ntoken_limit = 900\nflavour = "azure"\nfile_processing = "3s"\n',
            {"batch_duration": 120.0, "file_processing": 3.0, "token_limit": 900, "webhook_url": None},
        ),
        (
            'webhook_url = "http://127.0.0.1:9/hooks"\nwebhook_secret = { env = "HOOKS" }\n',
            {
                "batch_duration": 5.0,
                "file_processing": 1.0,
                "token_limit": None,
                "webhook_url": "http://127.0.0.1:9/hooks",
            },
        ),
    ],
)
def test_pace_and_limit_are_those_of_the_config(
    lines: str, expected: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox that a command starts runs as its config says."""
    monkeypatch.setenv("HOOKS", "whsec_AAECAw==")
    config = load(tmp_path, HEAD + lines)

    with contextlib.ExitStack() as stack:
        account = connect_named(config, stack, ["local"])["local"]
        url = str(account.vendor._once.base_url).partition("/openai")[0].rstrip("/")  # type: ignore[attr-defined]
        shown = sandbox_process._control(url, "GET", "settings")

    assert expected == shown
