"""How to reach a vendor account."""

from collections.abc import Callable
from dataclasses import dataclass

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

    api_key: str | Callable[[], str]
    base_url: str = OPENAI_URL
    organization: str | None = None
    project: str | None = None
    timeout: float = 600.0
    create_timeout: float = 60.0
