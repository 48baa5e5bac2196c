"""Who may call a resource of Azure, and by which version of its API."""

import secrets

from starlette.requests import Request

from batchd.sandbox.azure_errors import no_such_path
from batchd.sandbox.service import Service
from batchd.sandbox.vendor_errors import VendorError

V1 = "/openai/v1/"
OLD_VERSION = "2024-07-01-preview"
DATED_VERSIONS = (
    OLD_VERSION,
    "2024-08-01-preview",
    "2024-09-01-preview",
    "2024-10-01-preview",
    "2024-10-21",
    "2025-01-01-preview",
    "2025-03-01-preview",
    "2025-04-01-preview",
)
V1_VERSIONS = ("v1", "preview")


def admit(service: Service, request: Request) -> None:
    """Check credentials and version; raises VendorError for a call that a resource would not take."""
    _check_credentials(service, request)
    version = request.query_params.get("api-version")
    if request.url.path.startswith(V1):
        if version is not None and version not in V1_VERSIONS:
            raise VendorError(400, "API version not supported", code="BadRequest")
    elif version not in DATED_VERSIONS:
        raise no_such_path()


def is_old(request: Request) -> bool:
    """Tell whether the call is of the version that writes times as text."""
    return request.query_params.get("api-version") == OLD_VERSION


def _check_credentials(service: Service, request: Request) -> None:
    key, bearer = request.headers.get("api-key"), request.headers.get("authorization")
    if key is not None and _same(key, service.settings.api_key):
        return
    if key is None and bearer is not None:
        if _same(bearer, f"Bearer {service.settings.entra_token}"):
            return
        raise VendorError(401, "The access token is missing, expired, or good for something else.", code="Unauthorized")
    raise VendorError(401, "Access denied: the key is missing or wrong, or the endpoint is another resource's.")


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
