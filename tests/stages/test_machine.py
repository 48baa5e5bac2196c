"""The promises under everything at once, in a size for every run; ``scripts/soak`` runs it for as long as told."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stages.machine.quiet import quiet_log
from tests.stages.machine.rules import Machine


def test_every_promise_holds_whatever_happens_in_whatever_order() -> None:
    """Promises 1-9 and 12 hold after every step of people, vendor, clock, crashes and two daemons."""
    short = settings(
        max_examples=75,
        stateful_step_count=20,
        derandomize=True,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )

    with quiet_log():
        run_state_machine_as_test(Machine, settings=short)
