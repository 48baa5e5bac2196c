"""The stories in which fault points are passed: together they pass every one of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.drills.databases import Change
from tests.drills.slot import Slot

Command = tuple[str, ...]
# What others do in between; or a command whose words are known only then.
Happening = Callable[[Slot], Command | None]
RUN: Command = ("run", "--until-idle")
# The SDK repeats what may be repeated twice; the fourth failure is the second call's.
_OFTEN = 4
# Two batches are asked for, or fetched, side by side: each may fail twice, and the fifth failure is one's third.
_OFTEN_FOR_TWO = 5
# For so long a batch is not in the vendor's list: longer than batchd looks for it.
_HIDDEN = 6.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story: rows, a vendor's faults, and what is done, by ``batchd`` or, in between, by others.

    Attributes:
        name: what it is called in the drill's table.
        acts: commands, and functions for what others do in between.
        rows: how many pending rows there are, ids from 1.
        faults: as for the sandbox's ``PUT /_sandbox/faults``.
        change: what people have changed at the fresh database.
        settings: what the config says otherwise, see ``slot.SETTINGS``.
        most_paid: how often the vendor may bill one input by its own doing: two batches for one create.
    """

    name: str
    acts: tuple[Command | Happening, ...] = (RUN,)
    rows: int = 32
    faults: Mapping[str, Any] = field(default_factory=dict)
    change: Change | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    most_paid: int = 1


def route(name: str, status: int = 500, **rule: Any) -> dict[str, Any]:
    """One rule for one route: the first call fails, unless ``times`` says otherwise."""
    return {"route": name, "times": 1, "status": status, **rule}


def routes(*rules: dict[str, Any]) -> dict[str, Any]:
    """Faults of routes alone."""
    return {"routes": list(rules)}


def fail_list(slot: Slot) -> None:
    """From now on the vendor's list fails, some times over."""
    slot.vendor.control("PUT", "faults", routes(route("batches.list", times=2 * _OFTEN)))


def clear_faults(slot: Slot) -> None:
    """The vendor is well again."""
    slot.vendor.control("DELETE", "faults")


def remove_inputs(slot: Slot) -> None:
    """Somebody tidies up: the files that were not sent yet."""
    for path in (slot.folder / "spool").glob("*.input.jsonl"):
        path.unlink()


def remove_results(slot: Slot) -> None:
    """Somebody tidies up: the result files."""
    for (uid,) in slot.execute("SELECT uid FROM batchd_batch WHERE state = 'collected'"):
        (slot.folder / "spool" / f"{uid}.output.jsonl").unlink()


def people_change(change: Change) -> Happening:
    """Somebody changes something at the database."""

    def act(slot: Slot) -> None:
        slot.change(change)

    return act


def make_room(slot: Slot) -> None:
    """Somebody frees the disk of the spool."""
    slot.configure()


def grow_old(_: Slot) -> None:
    """Time goes by until the vendor shows its first batch, without which its list would prove nothing."""
    time.sleep(_HIDDEN)


def show_everything(slot: Slot) -> None:
    """The vendor's list shows at last what it has."""
    slot.vendor.control("PUT", "faults", {"batches": {"hide_from_list_seconds": 0.0}})


def trust_the_list(slot: Slot) -> None:
    """From now on what the vendor's list does not show may be sent anew, without a person."""
    slot.configure()


def adopt_the_newest(slot: Slot) -> Command:
    """A person has found the batch at the vendor, and names it."""
    return ("resolve", "2", "--adopt", slot.vendor.newest())


def forget_ledger(slot: Slot) -> None:
    """The database as it was before batchd came."""
    slot.database.forget_ledger()


# Another task, whose table is not there.
_MISFIT = """
[tasks.misfit]
vendor = "local"
table = "nowhere"
key = ["id"]
model = "gpt-6-luna"
prompt = "Hello"
text_column = "answer"
"""

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("plain"),
    Scenario("upgrade", (forget_ledger, ("db", "upgrade"), RUN), rows=12),
    Scenario("another task does not fit", rows=12, settings={"daemon": _MISFIT}),
    Scenario("rows that cannot be sent", rows=10, change="add odd rows"),
    Scenario(
        "answers asked for again",
        rows=14,
        faults={"lines": {"kind_by_input": [{"contains": "Number7 ", "kind": "invalid_json"}]}},
    ),
    Scenario(
        "rows finished meanwhile", rows=22, change="finish three rows meanwhile", settings={"max_open_batches": 5}
    ),
    Scenario("many batches", rows=45, settings={"max_open_batches": 5, "batch_duration": "400ms"}),
    Scenario(
        "the vendor's quota is full",
        rows=24,
        settings={
            "vendor": 'enqueued_tokens = { "gpt-6-luna" = 500 }',
            "max_open_batches": 4,
            "batch_duration": "400ms",
        },
    ),
    Scenario("files removed at the end", rows=12, settings={"daemon": 'keep_files = "0s"'}),
    Scenario(
        "files deleted at the vendor",
        (RUN, RUN),
        rows=12,
        settings={"daemon": 'keep_files = "0s"\nkeep_vendor_files = "1ms"'},
    ),
    Scenario(
        "files that can't be deleted at the vendor",
        (RUN, RUN),
        rows=12,
        faults=routes(route("files.delete", times=_OFTEN)),
        settings={"daemon": 'keep_files = "0s"\nkeep_vendor_files = "1ms"'},
    ),
    Scenario("requests removed at the end", rows=12, settings={"daemon": 'keep_files = "0s"\nkeep_ledger = "1ms"'}),
    Scenario("created, not answered", rows=12, faults=routes(route("batches.create", after_effect=True))),
    Scenario("not created, not answered", rows=12, faults=routes(route("batches.create"))),
    Scenario(
        "the list fails as well",
        (("submit",), fail_list, RUN),
        rows=12,
        faults=routes(route("batches.create", after_effect=True)),
    ),
    Scenario(
        "created twice by a relay",
        rows=12,
        faults=routes(route("batches.create", after_effect=True, twice=True)),
        most_paid=2,
    ),
    Scenario(
        "created, shown late",
        rows=12,
        faults={
            **routes(route("batches.create", after_effect=True)),
            "batches": {"hide_from_list_seconds": 4.0},
        },
        settings={"batch_duration": "8s"},
        most_paid=2,
    ),
    Scenario("the lease is lost during the create", rows=12, change="steal a lease"),
    Scenario("a refused create", rows=12, faults=routes(route("batches.create", 429, code="rate_limit_exceeded"))),
    Scenario(
        "an input file is lost",
        (("submit",), remove_inputs, clear_faults, RUN, ("resolve", "2")),
        rows=12,
        faults=routes(route("files.create", times=None)),
    ),
    Scenario(
        "looks that fail",
        rows=12,
        faults=routes(
            route("batches.retrieve", times=_OFTEN_FOR_TWO),
            route("batches.retrieve", 404),
            route("files.content", times=_OFTEN_FOR_TWO),
        ),
    ),
    Scenario(
        "a line is missing", rows=32, faults={"lines": {"kind_by_input": [{"contains": "Number7 ", "kind": "missing"}]}}
    ),
    Scenario(
        "refused whole, for a while",
        rows=12,
        faults={"batches": {"fail_with": {"code": "token_limit_exceeded", "message": "Enqueued."}, "times": 1}},
    ),
    Scenario(
        "results are lost",
        (
            ("pause", "people"),
            ("submit",),
            ("resume", "people"),
            ("submit",),
            ("pause", "people"),
            RUN,
            remove_results,
            ("resume", "people"),
            RUN,
        ),
        rows=12,
    ),
    Scenario(
        "a column is gone",
        (
            ("submit",),
            ("pause", "people"),
            RUN,
            people_change("hide a column"),
            ("resume", "people"),
            ("check", "2"),
            people_change("show the column"),
            ("resolve", "2"),
            RUN,
        ),
        rows=10,
    ),
    Scenario(
        "no room on the disk",
        (RUN, make_room, RUN),
        rows=12,
        settings={"daemon": "spool_reserve = 1_000_000_000_000_000"},
    ),
    Scenario(
        "shown late, but in time",
        (grow_old, ("submit",), ("pause", "people"), RUN, show_everything, RUN, ("resume", "people"), RUN),
        rows=10,
        faults={**routes(route("batches.create", after_effect=True)), "batches": {"hide_from_list_seconds": _HIDDEN}},
    ),
    Scenario(
        "cancelled before it was sent",
        (("submit",), ("cancel", "2"), clear_faults, ("retry",), RUN),
        rows=12,
        faults=routes(route("files.create", times=None)),
    ),
    Scenario(
        "cancelled at the vendor",
        (("submit",), ("cancel", "2"), RUN, ("retry",), RUN),
        rows=12,
        settings={"batch_duration": "4s"},
    ),
    Scenario(
        "given up",
        (("submit",), ("check", "2"), clear_faults, ("resolve", "2", "--give-up"), RUN),
        rows=10,
        faults=routes(route("batches.retrieve", 404, times=None)),
        most_paid=2,
    ),
    Scenario(
        "sent again by a person",
        (("submit",), RUN, ("resolve", "2", "--send-again"), trust_the_list, RUN),
        rows=10,
        faults=routes(route("batches.create")),
        settings={"resubmit": "hold"},
    ),
    Scenario(
        "adopted by a person",
        (("submit",), RUN, adopt_the_newest, trust_the_list, RUN),
        rows=10,
        faults={**routes(route("batches.create", after_effect=True)), "batches": {"hide_from_list_seconds": 600.0}},
        settings={"resubmit": "hold"},
    ),
    Scenario(
        "people are told, and write it by reapply",
        (RUN, people_change("accept the row"), ("reapply", "--task", "people"), RUN),
        rows=12,
        change="refuse a row",
        settings={"daemon": '[notify]\ncommand = ["true"]'},
    ),
)
