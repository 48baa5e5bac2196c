"""What one sandbox server is started with."""

from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_API_KEY = "sandbox-key"
DEFAULT_ENTRA_TOKEN = "sandbox-token"  # noqa: S105, made up, and good for nothing but the sandbox


@dataclass
class SandboxSettings:
    """The state file, the address, the pace of batches (seconds) and the limits (bytes, lines, tokens).

    ``batch_duration`` may be changed while the server runs; it holds for batches created afterwards.
    ``token_limit`` is the sum of prompt tokens that unfinished batches of one model may hold.
    With the flavour ``azure``: ``deployments`` are the models behind the names that exist (none: every name does),
    ``file_processing`` the seconds an uploaded file stays pending, ``entra_token`` what is taken as a bearer token.
    Webhooks go to ``webhook_url``, one signature for each of ``webhook_secrets``; an answer has ``webhook_patience`` s.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 0
    batch_duration: float = 5.0
    api_key: str = DEFAULT_API_KEY
    token_limit: int | None = None
    faults: Path | None = None
    upstream: str | None = None
    upstream_key_env: str | None = None
    until_unused: Path | None = None
    max_lines: int = 50_000
    max_batch_bytes: int = 200_000_000
    max_file_bytes: int = 512_000_000
    unsupported_models: tuple[str, ...] = ("no-such-model",)
    flavour: str = "openai"
    deployments: dict[str, str] = field(default_factory=dict)
    file_processing: float = 1.0
    entra_token: str = DEFAULT_ENTRA_TOKEN
    webhook_url: str | None = None
    webhook_secrets: tuple[str, ...] = ()
    webhook_patience: float = 5.0
