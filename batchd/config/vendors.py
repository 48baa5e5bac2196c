"""``[vendors.NAME]``: who runs the batches. ``kind`` says which keys a table takes."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from batchd.config.durations import Duration, DurationOrZero
from batchd.config.entra import Entra
from batchd.config.secret_refs import SecretRef
from batchd.config.values import Count, FilePath, HttpUrl, Name, Switch, Table, written
from batchd.config.webhooks import WebhookSecrets


class _Vendor(Table):
    """What every vendor has: the limits of its files, and how careful batchd is with it."""

    max_requests: Count = Field(default=50_000, description="Most requests of one batch file.")
    max_bytes: Count = Field(default=200_000_000, description="Most bytes of one batch file.")
    listing: Switch = Field(
        default=True,
        description="The server can list its batches, to the end. Where it can't, say false: an unclear submit then "
        "waits for a person.",
    )
    resubmit: Literal["hold", "fence"] = Field(
        default="hold",
        description="A submit that left no trace: hold it for a person, or fence it off and send it again.",
    )
    submit_grace: DurationOrZero = written("15m", "How long an unclear submit may still turn up at the vendor.")
    enqueued_tokens: dict[str, Count] = Field(
        default={}, description="Most input tokens that may wait in open batches at once, by model."
    )
    max_batches_per_hour: Count | None = Field(
        default=None, description="Most batches that are created in an hour; without it there is no limit."
    )
    timeout: Duration = written("600s", "Longest wait for an answer to an upload, a download or a listing.")
    create_timeout: Duration = written("60s", "Longest wait for an answer to the creation of a batch.")
    webhook_secret: WebhookSecrets = Field(
        default=(), description="Where the signing secret of its webhooks is kept; a list while it is being changed."
    )


def _resource(url: str) -> str:
    root = url.rstrip("/")
    if "?" in root or "#" in root or root.endswith(("/openai", "/openai/v1")):
        raise ValueError('expects the resource alone, such as "https://NAME.openai.azure.com": batchd adds /openai/…')
    return root


Resource = Annotated[HttpUrl, AfterValidator(_resource)]


class SandboxVendorConfig(_Vendor):
    """``kind = "sandbox"``: batchd's own local vendor, free of charge."""

    kind: Literal["sandbox"] = Field(description="batchd's own local vendor.")
    # It answers at once or not at all: nobody need wait long to know what became of a create.
    create_timeout: Duration = written("5s", "Longest wait for an answer to the creation of a batch.")
    submit_grace: DurationOrZero = written("6s", "How long an unclear submit may still turn up at the vendor.")
    state: FilePath = written("sandbox.db", "File of the sandbox's state, relative to the config's folder.")
    batch_duration: DurationOrZero = written("5s", "How long the sandbox takes over a batch.")
    token_limit: Count | None = Field(
        default=None,
        description="Most tokens that may wait in open batches at once; without it there is no limit.",
    )
    upstream: HttpUrl | None = Field(
        default=None,
        description="Real-time OpenAI-compatible server that answers in place of made-up answers.",
    )
    flavour: Literal["openai", "azure"] = Field(default="openai", description="Whose Batch API it imitates.")
    deployments: dict[str, Name] = Field(
        default={}, description="Azure only: deployment = model behind it; without any, every name is a deployment."
    )
    file_processing: DurationOrZero = written("1s", "Azure only: how long an uploaded file stays pending.")
    webhook_url: HttpUrl | None = Field(
        default=None, description="Where it tells, signed with webhook_secret, that a batch has ended."
    )


class OpenAIVendorConfig(_Vendor):
    """``kind = "openai"``: OpenAI, or a compatible server."""

    kind: Literal["openai"] = Field(description="OpenAI, or a server that speaks its Batch API.")
    api_key: SecretRef = Field(description="Where the API key is kept.")
    base_url: HttpUrl | None = Field(default=None, description="API root of a compatible server, with its /v1.")
    organization: Name | None = Field(default=None, description="OpenAI organization to bill.")
    project: Name | None = Field(default=None, description="OpenAI project to bill.")
    max_batches_per_hour: Count | None = Field(default=2000, description="Most batches that are created in an hour.")


class AzureVendorConfig(_Vendor):
    """``kind = "azure"``: an Azure OpenAI resource; a task's model is the name of a batch deployment there."""

    kind: Literal["azure"] = Field(description="An Azure OpenAI resource.")
    max_requests: Count = Field(default=100_000, description="Most requests of one batch file.")
    max_batches_per_hour: Count | None = Field(default=2000, description="Most batches that are created in an hour.")
    endpoint: Resource = Field(description='The resource, such as "https://NAME.openai.azure.com".')
    api_version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$")] | None = Field(
        default=None, description="Dated API to speak, such as 2024-10-21; without it the v1 API."
    )
    api_key: SecretRef | None = Field(default=None, description="Where the resource's key is kept.")
    entra: Entra | None = Field(
        default=None, description="Entra ID in place of a key: the name of a credential, or a table."
    )
    file_timeout: Duration = written("10m", "Longest wait for an uploaded file to be processed.")


VendorConfig = Annotated[SandboxVendorConfig | OpenAIVendorConfig | AzureVendorConfig, Field(discriminator="kind")]
VENDOR_KINDS: dict[str, type[_Vendor]] = {
    "sandbox": SandboxVendorConfig,
    "openai": OpenAIVendorConfig,
    "azure": AzureVendorConfig,
}
