"""The catalogue of vendors: kinds, accounts, and what is loaded when."""

import subprocess
import sys

import pytest

from batchd.errors import (
    ConfigError,
)
from batchd.vendors.catalog import account_fingerprint, connect
from batchd.vendors.connection import Connection


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (("openai", "https://API.openai.com:443/v1/", None), True),
        (("openai", "https://key:secret@api.openai.com/v1", ""), True),
        (("openai", "https://eu.api.openai.com/v1", None), False),
        (("openai", "https://api.openai.com/v1", "proj_1"), False),
        (("sandbox", "https://api.openai.com/v1", None), False),
        (("azure", "https://api.openai.com/v1", None), False),
    ],
)
def test_an_accounts_fingerprint_is_its_kind_place_and_project(
    other: tuple[str, str, str | None], *, same: bool
) -> None:
    """Spelling and credentials don't make another account; a host or a project does."""
    first = account_fingerprint("openai", "https://api.openai.com/v1", None)

    assert len(first) == 64
    assert (first == account_fingerprint(*other)) is same


def test_an_unknown_kind_is_an_error_of_the_config() -> None:
    """The message names the kinds there are."""
    with pytest.raises(ConfigError, match="openai"):
        connect("fax", Connection(api_key="sk"))


def test_the_sdk_is_loaded_by_connecting_only() -> None:
    """Commands that speak to no vendor don't pay for the SDK's import, nor for the price list's."""
    code = (
        "import sys, batchd.vendors.catalog, batchd.vendors.errors, batchd.prices\n"
        "print({'openai', 'httpx2', 'genai_prices'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
