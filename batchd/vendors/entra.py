"""Tokens of Entra ID in place of a key, by the package ``azure-identity``, which is loaded only where it is needed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from batchd.errors import ConfigError, VendorAuthError, VendorUnreachableError

if TYPE_CHECKING:
    from azure.core.credentials import TokenProvider

AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"

_ERROR_NUMBER = re.compile(r"AADSTS\d{1,10}")
_NEXT = "check entra of this [vendors] section and the role of that identity, then run the command again"


@dataclass(frozen=True, slots=True)
class EntraIdentity:
    """Who asks Entra ID for tokens.

    Attributes:
        credential: a managed identity, a service principal, or whatever ``DefaultAzureCredential`` finds.
        client_id: of a user-assigned managed identity, or of the service principal.
        tenant_id: of the service principal.
        client_secret: of the service principal.
        scope: what the token is to be good for.
    """

    credential: Literal["default", "managed_identity", "service_principal"]
    client_id: str | None = None
    tenant_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    scope: str = AZURE_SCOPE


def token_provider(identity: EntraIdentity) -> Callable[[], str]:
    """A function that gives a token, a new one only when the last is about to expire; asks nobody yet.

    Raises:
        ConfigError: ``azure-identity`` is not installed, or an id is none.
    """
    try:
        # Optional, and slow to load.
        from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415
        from azure.identity import get_bearer_token_provider  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            "entra needs the package azure-identity, which is not installed",
            next_command='pip install "batchd[azure]"',
        ) from None
    ask = get_bearer_token_provider(_credential(identity), identity.scope)

    def token() -> str:
        # Never chained: what Entra ID says may quote what was sent.
        try:
            return ask()
        except (ClientAuthenticationError, ValueError) as error:
            raise _refused(str(error)) from None
        except AzureError as error:
            raise VendorUnreachableError(
                f"Entra ID cannot be reached for a token ({type(error).__name__}); the vendor was not asked",
                code="entra_unreachable",
                next_command="check the network, proxy and certificates",
            ) from None

    return token


def _credential(identity: EntraIdentity) -> "TokenProvider":
    from azure.identity import (  # noqa: PLC0415 - as above
        ClientSecretCredential,
        DefaultAzureCredential,
        ManagedIdentityCredential,
    )

    try:
        match identity.credential:
            case "managed_identity":
                return ManagedIdentityCredential(client_id=identity.client_id)
            case "service_principal":
                return ClientSecretCredential(
                    identity.tenant_id or "", identity.client_id or "", identity.client_secret or ""
                )
            case "default":
                return DefaultAzureCredential()
    except ValueError:
        raise ConfigError("an id in entra has characters that no id has", next_command=_NEXT) from None


def _refused(words: str) -> VendorAuthError:
    number = _ERROR_NUMBER.search(words)
    shown = f" ({number[0]})" if number else ""
    return VendorAuthError(
        f"Entra ID gave no token{shown}", code=number[0] if number else "no_entra_token", next_command=_NEXT
    )
