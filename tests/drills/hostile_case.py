"""What a case of the hostile vendor is made of: a story, and how it must end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.drills.scenarios import RUN, Command, Happening, Scenario, clear_faults, routes

Acts = tuple[Command | Happening, ...]
# Named arguments of a case, a rule or a happening.
Words = dict[str, Any]
SUBMIT: Command = ("submit",)
CHECK: Command = ("check", "2")
CANCEL: Command = ("cancel", "2", "--no-wait")
RESUME: Command = ("resume", "people")
RESOLVE: Command = ("resolve", "2")
SEND_AGAIN: Command = ("resolve", "2", "--send-again")
AGAIN: Acts = (clear_faults, RUN)
ROWS = 6
# Three open batches are what polling reads the list for.
THREE_BATCHES: Words = {"settings": {"batch_size": 2, "max_open_batches": 5}, "created": 3}
# The SDK repeats reads and uploads itself, slowly, unless the reply forbids it.
AT_ONCE = {"x-should-retry": "false"}


@dataclass(frozen=True, slots=True)
class Expected:
    """How a case ends.

    Attributes:
        codes: the exit code of each command, in order; a kill may change them.
        outcomes: outcome → requests, over all tries; usually every row applied with its first.
        gates: state → rows that batchd must not claim.
        findings: what is open, one of each.
        unlike: rows that are written with another answer than a friendly vendor gives.
        most_paid: how often an input is paid for at most.
        created: batches that the vendor has made; None where it hangs on the moment.
    """

    codes: tuple[int, ...] = (0,)
    outcomes: Mapping[str, int] = field(default_factory=lambda: {"applied": ROWS})
    gates: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    unlike: frozenset[int] = frozenset()
    most_paid: int = 1
    created: int | None = 1


@dataclass(frozen=True, slots=True)
class Case:
    """A story with its end; ``killed`` marks those that are told again with a kill somewhere."""

    scenario: Scenario
    expected: Expected
    killed: bool = False

    @property
    def name(self) -> str:
        """As it is called in the table."""
        return self.scenario.name


def case(
    name: str,
    faults: Mapping[str, Any],
    acts: Acts = (RUN,),
    *,
    settings: Mapping[str, Any] | None = None,
    killed: bool = False,
    **expected: Any,
) -> Case:
    """One line of the table; ``expected`` as the fields of ``Expected``."""
    scenario = Scenario(name, acts, rows=ROWS, faults=faults, settings=settings or {})
    return Case(scenario, Expected(**expected), killed)


def rule(route: str, *, times: int | None = 1, **fault: Any) -> dict[str, Any]:
    """Faults with one rule for one route."""
    return routes({"route": route, "times": times, **fault})


def script(route: str, *faults: Mapping[str, Any]) -> dict[str, Any]:
    """Faults for one call of a route after the other; an empty one lets its call be."""
    return routes(*({"route": route, "times": 1, **fault} for fault in faults))
