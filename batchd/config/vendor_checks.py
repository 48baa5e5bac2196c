"""Checks of one vendor by itself, and of the endpoints that tasks ask of it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from batchd.config.entra import EntraConfig
from batchd.config.locator import KeyPath
from batchd.config.problems import Problem
from batchd.config.vendors import AzureVendorConfig, OpenAIVendorConfig, SandboxVendorConfig, VendorConfig

_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_AZURE_ENDPOINTS = ("/v1/chat/completions", "/v1/responses")
_AZURE_ONLY = ("deployments", "file_processing")
# What each credential needs, and what it may have besides.
_NEEDED = {"service_principal": ("tenant_id", "client_id", "client_secret")}
_ALLOWED = {"managed_identity": ("client_id",)}


def vendor_problems(name: str, vendor: VendorConfig) -> Iterator[Problem]:
    """What is wrong with a vendor, whatever the rest of the config says."""
    place: KeyPath = ("vendors", name)
    if isinstance(vendor, AzureVendorConfig):
        yield from _azure(place, vendor)
    if isinstance(vendor, SandboxVendorConfig) and vendor.flavour != "azure":
        for key in _AZURE_ONLY:
            if key in vendor.model_fields_set:
                yield Problem((*place, key), 'has no meaning without flavour = "azure"')
    if isinstance(vendor, SandboxVendorConfig) and vendor.webhook_url is not None and not vendor.webhook_secret:
        yield Problem((*place, "webhook_url"), 'needs webhook_secret = { env = "NAME" }, to sign with')


def vendor_warnings(name: str, vendor: VendorConfig) -> Iterator[Problem]:
    """What of a vendor is allowed, and probably not meant."""
    if isinstance(vendor, OpenAIVendorConfig) and _is_azures(vendor.base_url or ""):
        yield Problem(
            ("vendors", name, "base_url"),
            "is a resource of Azure OpenAI, which takes no batch of a file that it has not processed yet; "
            'kind = "azure" waits for that',
        )


def _is_azures(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host.endswith(_AZURE_HOSTS)


def endpoint_problem(name: str, vendor: VendorConfig, endpoint: str) -> str:
    """Why batches of this vendor can't ask an endpoint, "" where they can."""
    azure = isinstance(vendor, AzureVendorConfig) or (
        isinstance(vendor, SandboxVendorConfig) and vendor.flavour == "azure"
    )
    if not azure or endpoint in _AZURE_ENDPOINTS:
        return ""
    known = " and ".join(_AZURE_ENDPOINTS)
    return f"is {endpoint}, but batches of Azure OpenAI (vendors.{name}) take {known} only"


def _azure(place: KeyPath, vendor: AzureVendorConfig) -> Iterator[Problem]:
    if vendor.api_key is None and vendor.entra is None:
        yield Problem(place, 'says neither api_key nor entra; write api_key = { env = "NAME" } or entra = "default"')
    if vendor.api_key is not None and vendor.entra is not None:
        yield Problem((*place, "entra"), "api_key is there too; keep one of them")
    if vendor.entra is not None:
        yield from entra_problems((*place, "entra"), vendor.entra)


def entra_problems(place: KeyPath, entra: EntraConfig) -> Iterator[Problem]:
    """What a credential needs and is not given, or is given and has no use for."""
    needed = _NEEDED.get(entra.credential, ())
    for key in ("tenant_id", "client_id", "client_secret"):
        given = getattr(entra, key) is not None
        if key in needed and not given:
            yield Problem((*place, key), f"this key is missing; a {entra.credential} needs {', '.join(needed)}")
        if given and key not in (*needed, *_ALLOWED.get(entra.credential, ())):
            yield Problem((*place, key), f'has no meaning with credential = "{entra.credential}"')
