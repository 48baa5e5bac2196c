"""What the routes of one running sandbox share."""

from dataclasses import dataclass

from batchd.sandbox.clock import VirtualClock
from batchd.sandbox.flavour import take_on
from batchd.sandbox.settings import SandboxSettings
from batchd.sandbox.settling import Settler
from batchd.sandbox.state import State
from batchd.sandbox.webhook_sender import WebhookSender


@dataclass(frozen=True)
class Service:
    """One sandbox: settings that may change while it runs, its state, clock, what ends its batches, and tells of it."""

    settings: SandboxSettings
    state: State
    clock: VirtualClock
    settler: Settler
    webhooks: WebhookSender


def open_service(settings: SandboxSettings) -> Service:
    """Open the state that the settings name and put a sandbox together.

    Raises ValueError for the state of another flavour.
    """
    state, clock = State(settings.state), VirtualClock()
    with state.transaction() as connection:
        take_on(connection, settings)
    settler = Settler(state, clock)
    return Service(settings, state, clock, settler, WebhookSender(settings, state, clock, settler))
