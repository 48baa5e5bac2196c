"""Tokens of Entra ID in place of keys and passwords, by ``azure-identity``, which is loaded only where it is needed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from batchd.errors import ConfigError

if TYPE_CHECKING:
    from azure.core.credentials import TokenProvider

AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"
SQL_SCOPE = "https://database.windows.net/.default"

_ERROR_NUMBER = re.compile(r"AADSTS\d{1,10}")


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


class NoTokenError(Exception):
    """Entra ID gave no token. What it says itself is never kept: it may quote what was sent.

    Attributes:
        is_away: it could not be asked; so it may be asked again.
        code: its number, such as ``AADSTS7000215``; where it could not be asked, the name of what went wrong; else "".
    """

    def __init__(self, code: str, *, is_away: bool) -> None:
        super().__init__(code)
        self.code = code
        self.is_away = is_away

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        code = f" ({self.code})" if self.code else ""
        return f"Entra ID cannot be reached for a token{code}" if self.is_away else f"Entra ID gave no token{code}"


def tokens_for(identity: EntraIdentity) -> Callable[[], str]:
    """A function that gives a token, a new one only when the last is about to expire; asks nobody yet.

    The function raises NoTokenError.

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
        try:
            return ask()
        except (ClientAuthenticationError, ValueError) as error:
            number = _ERROR_NUMBER.search(str(error))
            raise NoTokenError(number[0] if number else "", is_away=False) from None
        except AzureError as error:
            raise NoTokenError(type(error).__name__, is_away=True) from None

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
        raise ConfigError(
            "an id in entra has characters that no id has",
            next_command="check client_id and tenant_id of entra, then run the command again",
        ) from None
