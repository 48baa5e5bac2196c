"""``entra``: Entra ID in place of a key, by a managed identity, a service principal, or what the machine offers."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from batchd.config.secret_refs import SecretRef
from batchd.config.values import HttpUrl, Name, Table

Credential = Literal["default", "managed_identity", "service_principal"]


class EntraConfig(Table):
    """``entra``: who asks Entra ID for tokens."""

    credential: Credential = Field(
        description="A managed identity, a service principal, or the first that DefaultAzureCredential finds."
    )
    client_id: Name | None = Field(
        default=None, description="Id of a user-assigned managed identity, or of the service principal."
    )
    tenant_id: Name | None = Field(default=None, description="Tenant of the service principal.")
    client_secret: SecretRef | None = Field(
        default=None, description="Where the secret of the service principal is kept."
    )
    scope: HttpUrl | None = Field(
        default=None, description="What the token is to be good for, where that is not Azure OpenAI, or Azure SQL."
    )


def _spell_out(value: object) -> Any:
    return {"credential": value} if isinstance(value, str) else value


Entra = Annotated[EntraConfig, BeforeValidator(_spell_out, json_schema_input_type=Credential | EntraConfig)]
"""The name of a credential, or a table with what belongs to it."""
