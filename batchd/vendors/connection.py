"""How to reach a vendor account."""

from collections.abc import Callable
from dataclasses import dataclass, field

OPENAI_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a vendor account.

    Attributes:
        api_key: the key, or a function that is asked for it before each request.
        base_url: where the API is, ``/v1`` included.
        organization: as the vendor names it, None for the key's own.
        project: as the vendor names it, None for the key's own.
        timeout: seconds an upload may take; a reply may keep silent for a quarter of it, at most 2 minutes.
        create_timeout: seconds the creation of a batch may take.
    """

    api_key: str | Callable[[], str] = field(repr=False)
    base_url: str = OPENAI_URL
    organization: str | None = None
    project: str | None = None
    timeout: float = 600.0
    create_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class AzureConnection(Connection):
    """How to reach an Azure OpenAI resource: ``base_url`` is its endpoint, without ``/openai``.

    Attributes:
        api_version: the dated API to speak, such as ``2024-10-21``; None for the v1 API.
        by_token: ``api_key`` gives Entra ID tokens, not the resource's key.
        file_timeout: seconds the resource may take to process an uploaded file.
    """

    api_version: str | None = None
    by_token: bool = False
    file_timeout: float = 600.0
