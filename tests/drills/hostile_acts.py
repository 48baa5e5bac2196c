"""What happens between the commands of a hostile case: the vendor changes its ways, and what must be seen by then."""

import time
from collections.abc import Mapping
from typing import Any

from tests.conformance.stores import moment
from tests.drills.scenarios import Happening
from tests.drills.slot import Slot

_PATIENCE = 30.0
_TOLERANCE = 3.0


class NotSeenError(Exception):
    """What a person, or the ledger, had to show by now and did not."""


def vendor_does(faults: Mapping[str, Any]) -> Happening:
    """From now on these faults, in place of the former ones."""

    def act(slot: Slot) -> None:
        slot.vendor.control("PUT", "faults", faults)

    return act


def config_says(**settings: Any) -> Happening:
    """Somebody changes the config; what is not named is as in every case."""

    def act(slot: Slot) -> None:
        slot.configure(**settings)

    return act


def clock_stands(slot: Slot) -> None:
    """The vendor's clock stands still; ``vendor_passes`` moves it."""
    slot.vendor.control("POST", "clock", {"freeze": True})


def vendor_passes(seconds: float) -> Happening:
    """So much time passes at the vendor alone; negative, its clock was ahead."""

    def act(slot: Slot) -> None:
        slot.vendor.control("POST", "clock", {"advance": seconds})

    return act


def vendor_clock_right(slot: Slot) -> None:
    """The vendor's clock shows the real time again."""
    slot.vendor.control("POST", "clock", {"freeze": False})
    slot.vendor.control("POST", "clock", {"advance": -slot.vendor.control("GET", "clock")["offset"]})


def time_has_come(slot: Slot) -> None:
    """As if what a batch waits for were over; nobody wants to wait for it."""
    slot.execute("UPDATE batchd_batch SET not_before = NULL")


def waits(seconds: float) -> Happening:
    """The ledger shows that the batch is left alone for so long."""

    def act(slot: Slot) -> None:
        ((until,),) = slot.execute("SELECT max(not_before) FROM batchd_batch")
        left = None if until is None else (moment(until) - slot.database.clock()).total_seconds()
        if left is None or not seconds - _TOLERANCE < left <= seconds:
            raise NotSeenError(f"the batch waits for {left} s, and not for {seconds} s")

    return act


def is_left(calls: int) -> Happening:
    """The first rule for a route still has so many calls to spoil: the others were made, and no more."""

    def act(slot: Slot) -> None:
        left = slot.vendor.control("GET", "faults")["routes"][0]["times"]
        if left != calls:
            raise NotSeenError(f"the fault has {left} calls left to spoil, and not {calls}")

    return act


def is_told(*kinds: str) -> Happening:
    """Exactly these findings are open now, one of each."""

    def act(slot: Slot) -> None:
        found = sorted(kind for (kind,) in slot.execute("SELECT kind FROM batchd_finding WHERE closed_at IS NULL"))
        if found != sorted(kinds):
            raise NotSeenError(f"the open findings are {found}, and not {sorted(kinds)}")

    return act


def batches_made(number: int) -> Happening:
    """Waits until the vendor has made so many batches: a create may come late."""

    def act(slot: Slot) -> None:
        deadline = time.monotonic() + _PATIENCE
        while slot.vendor.batches() < number:
            if time.monotonic() > deadline:
                raise NotSeenError(f"the vendor made {slot.vendor.batches()} batches, and not {number}")
            time.sleep(0.02)

    return act


def unspent(slot: Slot) -> list[str]:
    """Faults that were to befall so many calls and did not: a case proves nothing with them."""
    faults = slot.vendor.control("GET", "faults")
    left = [f"the fault {rule} did not befall its calls" for rule in faults.get("routes", ()) if rule["times"]]
    batches = faults.get("batches", {})
    return [
        *left,
        *(f"the fault {name} is not used up" for name in ("times", "hide_newest_calls") if batches.get(name)),
    ]
