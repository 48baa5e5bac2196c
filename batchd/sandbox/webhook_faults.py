"""Webhooks that go wrong on purpose."""

from dataclasses import dataclass

# Never sent; sent some seconds late; sent several times; sent behind the next one; signed with another secret; signed
# right, an hour ago; sent while the batch still runs, and not at its end.
KINDS = ("lost", "late", "repeated", "out_of_order", "badly_signed", "old", "early")
COPIES = 3
OLD_SECONDS = 3_600
WRONG_SECRET = "not-the-secret-of-anybody"  # noqa: S105, that is its use


@dataclass(frozen=True)
class WebhookFault:
    """One rule: how the next ``times`` webhooks (None: all) go wrong; ``seconds`` is how late they are."""

    kind: str
    times: int | None = None
    seconds: float = 0.0
