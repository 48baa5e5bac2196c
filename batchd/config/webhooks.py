"""``[webhooks]``: where vendors tell that a batch has ended, and by which secrets they are known."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict

from batchd.config.secret_refs import SecretRef
from batchd.config.values import Name, Table

Port = Annotated[int, Strict(), Field(ge=1, le=65_535)]
UrlPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]{0,200}$")]


class WebhooksConfig(Table):
    """``[webhooks]``: a listener for all vendors that have a webhook_secret; without this table there is none."""

    port: Port = Field(description="Port to listen at.")
    host: Name = Field(
        default="127.0.0.1", description="Address to listen at; a reverse proxy in front of it does the TLS."
    )
    path: UrlPath = Field(default="/webhooks", description="The one path that is answered.")


def _as_list(value: object) -> Any:
    return value if isinstance(value, list | tuple) else [value]


WebhookSecrets = Annotated[
    tuple[SecretRef, ...],
    BeforeValidator(_as_list, json_schema_input_type=SecretRef | list[SecretRef]),
]
"""One secret, or several: while one is being changed, the vendor may sign with either."""
