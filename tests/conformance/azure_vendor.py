"""Azure OpenAI in the tests: the adapter before the scripted server, and the sandbox as a resource of Azure."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from batchd.sandbox_process import Flavour, SandboxHandle, start_or_join
from batchd.vendors.azure import AzureVendor
from batchd.vendors.connection import AzureConnection
from tests.conformance.sandbox_calls import Sandbox
from tests.fakes.http_vendor import HttpVendor

DEPLOYMENT = "batch-luna"
MODEL = "gpt-6-luna"
DATED = "2024-10-21"
OLD = "2024-07-01-preview"


@pytest.fixture
def azure_connection(server: HttpVendor) -> AzureConnection:
    """The way to the scripted server, as if it were a resource with the v1 API."""
    endpoint = server.url.removesuffix("/v1")
    return AzureConnection("az-test", endpoint, timeout=20.0, create_timeout=5.0, file_timeout=5.0)


@pytest.fixture
def azure_adapter(azure_connection: AzureConnection, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureVendor]:
    """The Azure adapter, connected to it."""
    # The SDK's waits between tries are not what is tested here.
    monkeypatch.setattr("openai._base_client.time.sleep", lambda _: None)
    with contextlib.closing(AzureVendor(azure_connection)) as vendor:
        yield vendor


class AzureSandbox(Sandbox):
    """A running sandbox as a resource of Azure, seen by a client of its dated API."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.client = self.by(api_key="sandbox-key")

    def by(self, *, version: str = DATED, api_key: str | None = None, token: str | None = None) -> openai.AzureOpenAI:
        """A client with other credentials, or of another version."""
        return openai.AzureOpenAI(
            azure_endpoint=self.url,
            api_version=version,
            api_key=api_key,
            azure_ad_token=token,
            max_retries=0,
            timeout=10,
        )

    def connection(
        self, *, key: str = "sandbox-key", version: str | None = None, by_token: bool = False, patience: float = 5.0
    ) -> AzureConnection:
        """The adapter's way to it, with short time limits, since some tests wait for them."""
        return AzureConnection(
            key,
            self.url,
            timeout=20.0,
            create_timeout=3.0,
            api_version=version,
            by_token=by_token,
            file_timeout=patience,
        )

    def pace(self, *, batch_duration: float = 0.0, file_processing: float = 0.0) -> None:
        """Sets how long batches and uploads take from now on, in seconds."""
        self.control("POST", "settings", {"batch_duration": batch_duration, "file_processing": file_processing})


def start_azure(folder: Path) -> SandboxHandle:
    """Starts a resource with one deployment, whose files are processed and whose batches complete at once."""
    return start_or_join(folder / "azure.db", batch_duration=0, flavour=Flavour("azure", {DEPLOYMENT: MODEL}, 0.0))


def emptied(running: AzureSandbox) -> AzureSandbox:
    """The same one, without a past and without faults."""
    running.control("POST", "reset")
    running.pace()
    running.control("POST", "settings", {"token_limit": None})
    return running


def wait_until_processed(sandbox: AzureSandbox, file_id: str, limit: float = 10.0) -> list[str]:
    """Looks at a file until it is processed; returns the statuses seen on the way."""
    seen: list[str] = []
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        status = str(sandbox.client.files.retrieve(file_id).status)
        if status not in seen:
            seen.append(status)
        if status == "processed":
            return seen
        time.sleep(0.02)
    raise AssertionError(f"{file_id} is still {seen[-1]}")
