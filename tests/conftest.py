"""What every test gets: an environment in which nothing of the reader's own set-up shows through."""

import os

import hypothesis
import pytest

# A busy machine is no reason for a test to fail.
hypothesis.settings.register_profile("batchd", deadline=None)
hypothesis.settings.load_profile("batchd")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the reader's own config and keys: a test must never reach a real vendor or database."""
    for name in list(os.environ):
        if name.startswith(("BATCHD_", "OPENAI_", "AZURE_OPENAI_")):
            monkeypatch.delenv(name)
