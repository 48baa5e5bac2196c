"""``[metrics]``: where the daemon is looked at from outside."""

from typing import Annotated

from pydantic import Field, Strict

from batchd.config.values import Name, Table


class MetricsConfig(Table):
    """``[metrics]``: metrics and health of ``batchd run`` over HTTP; off without a port."""

    port: Annotated[int, Strict(), Field(ge=1, le=65535)] | None = Field(
        default=None, description="Port of /metrics, /live and /ready; nothing is served where this is left out."
    )
    host: Name = Field(
        default="127.0.0.1",
        description="Address to listen at. Nobody is asked for a password, so one that others can reach is warned of.",
    )
