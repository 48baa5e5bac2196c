"""Tokens of Entra ID by the real azure-identity: a managed identity over HTTP, and what goes wrong without a secret."""

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from batchd.entra import EntraIdentity
from batchd.errors import ConfigError, VendorAuthError, VendorError, VendorUnreachableError
from batchd.vendors.azure import AzureVendor
from batchd.vendors.connection import AzureConnection
from batchd.vendors.entra import token_provider
from tests.conformance.azure_vendor import AzureSandbox, start_azure

PRINCIPAL = EntraIdentity("service_principal", "app-1", "tenant-1", "hunter2")


class Identity:
    """A machine's endpoint for managed identities, as an app service has one; ``asked`` are the queries that came."""

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.status, self.token = 200, "sandbox-token"

    def reply(self) -> bytes:
        """What is said to a query that the status lets through, or to one that it does not."""
        if self.status != 200:
            return b'{"error": "bad_request", "message": "hunter2"}'
        return json.dumps(
            {
                "access_token": self.token,
                "expires_on": str(int(time.time()) + 86_400),
                "resource": "https://cognitiveservices.azure.com",
                "token_type": "Bearer",
            }
        ).encode()


@contextmanager
def listening(identity: Identity) -> Iterator[str]:
    """Serves it on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            identity.asked.append(parse_qs(urlsplit(self.path).query))
            body = identity.reply()
            self.send_response(identity.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Keeps the tests' output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    """This machine has a managed identity."""
    found = Identity()
    with listening(found) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "of-this-machine")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield found


@pytest.fixture(scope="module")
def resource(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureSandbox]:
    """A resource that takes the token ``sandbox-token``."""
    with start_azure(tmp_path_factory.mktemp("azure")) as handle:
        yield AzureSandbox(handle.url)


def vendor_by(resource: AzureSandbox, identity: EntraIdentity) -> AzureVendor:
    """The adapter, whose tokens an identity gives."""
    return AzureVendor(AzureConnection(token_provider(identity), resource.url, by_token=True))


@pytest.mark.parametrize("client_id", [None, "11111111-2222-3333-4444-555555555555"])
def test_a_managed_identity_opens_the_resource(
    resource: AzureSandbox, identity: Identity, client_id: str | None
) -> None:
    """The machine's own one, or a user-assigned one by its client id; one token serves many calls."""
    with closing(vendor_by(resource, EntraIdentity("managed_identity", client_id))) as vendor:
        for _ in range(3):
            assert vendor.list_batches(0).complete

    (asked,) = identity.asked
    assert ["https://cognitiveservices.azure.com"] == asked["resource"]
    assert client_id == (asked["client_id"][0] if "client_id" in asked else None)


def test_another_scope_is_asked_for(resource: AzureSandbox, identity: Identity) -> None:
    """Some resources want tokens that are good for something else."""
    scoped = EntraIdentity("managed_identity", scope="https://ai.azure.com/.default")

    with closing(vendor_by(resource, scoped)) as vendor:
        vendor.list_batches(0)

    assert ["https://ai.azure.com"] == identity.asked[0]["resource"]


def test_a_machine_without_that_identity_is_told_so(resource: AzureSandbox, identity: Identity) -> None:
    """No create is sent, and what the endpoint said stays out of the error."""
    identity.status = 400

    with (
        closing(vendor_by(resource, EntraIdentity("managed_identity"))) as vendor,
        pytest.raises(VendorAuthError, match="Entra ID gave no token") as caught,
    ):
        vendor.create_batch("file-1", "/v1/chat/completions", {})

    assert "hunter2" not in f"{caught.value} {caught.value.next_command}"
    assert caught.value.__cause__ is None
    assert "entra" in caught.value.next_command


def test_a_token_that_the_resource_refuses_is_not_shown(
    resource: AzureSandbox, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in no error and in no log, at any level."""
    identity.token = "eyJhunter2"

    with (
        caplog.at_level(logging.DEBUG),
        closing(vendor_by(resource, EntraIdentity("managed_identity"))) as vendor,
        pytest.raises(VendorAuthError) as caught,
    ):
        vendor.retrieve_batch("batch_1")

    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in caplog.text
    assert [] == caplog.records


class Principal:
    """In place of ClientSecretCredential, which speaks to Entra ID alone: what it was made of, and what it says."""

    made: tuple[str, str, str] | None = None
    trouble: Exception | None = None

    def __init__(self, tenant_id: str, client_id: str, client_secret: str) -> None:
        type(self).made = (tenant_id, client_id, client_secret)

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token for good, or the trouble."""
        if self.trouble is not None:
            raise self.trouble
        assert ("https://cognitiveservices.azure.com/.default",) == scopes
        return AccessToken("sandbox-token", int(time.time()) + 3_600)


@pytest.fixture
def principal(monkeypatch: pytest.MonkeyPatch) -> type[Principal]:
    """The service principal answers here."""
    mine = type("Mine", (Principal,), {})
    monkeypatch.setattr(azure.identity, "ClientSecretCredential", mine)
    return mine


def test_a_service_principal_opens_the_resource(resource: AzureSandbox, principal: type[Principal]) -> None:
    """By tenant, client id and secret."""
    with closing(vendor_by(resource, PRINCIPAL)) as vendor:
        assert vendor.list_batches(0).complete

    assert ("tenant-1", "app-1", "hunter2") == principal.made


@pytest.mark.parametrize(
    ("trouble", "error", "code"),
    [
        (ClientAuthenticationError("AADSTS7000215: bad secret 'hunter2'"), VendorAuthError, "AADSTS7000215"),
        (ClientAuthenticationError("hunter2"), VendorAuthError, "no_entra_token"),
        (ValueError("no tenant hunter2"), VendorAuthError, "no_entra_token"),
        (ServiceRequestError("hunter2"), VendorUnreachableError, "entra_unreachable"),
    ],
)
def test_what_entra_id_says_is_told_by_its_number(
    resource: AzureSandbox, principal: type[Principal], trouble: Exception, error: type[VendorError], code: str
) -> None:
    """Nothing was sent to the resource, and the secret is in no error and no cause."""
    principal.trouble = trouble

    with closing(vendor_by(resource, PRINCIPAL)) as vendor, pytest.raises(error) as caught:
        vendor.create_batch("file-1", "/v1/chat/completions", {})

    assert (error, code) == (type(caught.value), caught.value.code)
    assert "hunter2" not in f"{caught.value} {caught.value.next_command}"
    assert caught.value.__cause__ is None


def test_a_secret_is_not_in_the_repr() -> None:
    """A traceback that shows locals would show it."""
    assert "hunter2" not in repr(PRINCIPAL)
    assert "hunter2" not in repr(AzureConnection("hunter2", "https://r.openai.azure.com"))


def test_a_tenant_that_is_none_is_an_error_of_the_config() -> None:
    """Found before anybody is asked."""
    with pytest.raises(ConfigError, match="entra"):
        token_provider(EntraIdentity("service_principal", "app", "no tenant/?", "s"))


def test_the_default_chain_is_what_the_machine_offers(resource: AzureSandbox, identity: Identity) -> None:
    """On a machine with a managed identity, that one, and nothing is logged of the others."""
    with closing(vendor_by(resource, EntraIdentity("default"))) as vendor:
        assert vendor.list_batches(0).complete

    assert identity.asked


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever uses a key never needs it; whoever uses entra is told what to install."""
    monkeypatch.setitem(sys.modules, "azure.identity", None)

    with pytest.raises(ConfigError, match="azure-identity") as caught:
        token_provider(EntraIdentity("default"))

    assert 'pip install "batchd[azure]"' == caught.value.next_command


def test_the_package_is_loaded_by_asking_for_tokens_only() -> None:
    """It is optional, and takes most of a second to load."""
    modules = "sys, batchd.vendors.entra, batchd.vendors.azure, batchd.app.accounts"
    code = f"import {modules}\nprint('azure.identity' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )

    assert "False" == done.stdout.strip()
