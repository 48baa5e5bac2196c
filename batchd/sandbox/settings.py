"""What one sandbox server is started with."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_API_KEY = "sandbox-key"


@dataclass
class SandboxSettings:
    """The state file, the address, the pace of batches (seconds) and the limits (bytes, lines, tokens).

    ``batch_duration`` may be changed while the server runs; it holds for batches created afterwards.
    ``token_limit`` is the sum of prompt tokens that unfinished batches of one model may hold.
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
