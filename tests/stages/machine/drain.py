"""The end of every example: the vendor behaves, people decide what is held, and everything must come to rest."""

from tests.stages.machine.promises import Judge
from tests.stages.machine.world import World

_ROUNDS = 60
_LONGEST_WAIT = 6 * 3600.0 + 1


def drain(world: World, judge: Judge) -> None:
    """Lets the world come to rest. Raises where something is stuck, or a row is left without a word."""
    world.say("— the drain —")
    world.vendor.listing_lag = 0
    for sent in world.vendor.sent.values():
        sent.shown_from, sent.names_late = 0, 0
    world.late_creates_land()
    world.resume()
    for _ in range(_ROUNDS):
        _vendor_finishes(world)
        world.work("A")
        judge.check()
        world.decide()
        judge.check()
        if not _is_busy(world):
            break
        world.wait(_LONGEST_WAIT)
    _check_rest(world)


def _vendor_finishes(world: World) -> None:
    for sent in world.vendor.open():
        world.vendor.end(sent, "completed", ("good",))


def _is_busy(world: World) -> bool:
    retries = world.one("SELECT count(*) FROM batchd_gate WHERE state IN ('retry', 'open')")
    return bool(retries or _open_batches(world) or _left_alone(world))


def _open_batches(world: World) -> list[str]:
    found = world.rows("SELECT * FROM batchd_batch WHERE state NOT IN ('closed', 'failed', 'abandoned') ORDER BY id")
    return [f"batch {one['id']} is {one['state']} (from {one['held_from']}), {one['error_text']}" for one in found]


def _left_alone(world: World) -> list[str]:
    """Pending rows that nobody remembers."""
    found = world.rows(
        "SELECT id FROM person WHERE done_at IS NULL AND wanted = 1"
        " AND id NOT IN (SELECT key_int FROM batchd_gate) ORDER BY id"
    )
    return [f"row {one['id']} is pending, without a gate" for one in found]


def _check_rest(world: World) -> None:
    open_gates = world.rows("SELECT key_int, state, batch_id FROM batchd_gate WHERE state IN ('open', 'retry')")
    stuck = [
        *_open_batches(world),
        *_left_alone(world),
        *(f"row {one['key_int']} is still {one['state']} for batch {one['batch_id']}" for one in open_gates),
    ]
    if stuck:
        findings = [
            tuple(one) for one in world.rows("SELECT kind, subject FROM batchd_finding WHERE closed_at IS NULL")
        ]
        raise world.broke(
            "P8, P12", f"stuck after {_ROUNDS} rounds of six hours: {'; '.join(stuck)}; open findings: {findings}"
        )
    unexplained = world.rows(
        "SELECT g.key_int, g.state FROM batchd_gate g WHERE g.state IN ('failed', 'held') AND g.outcome IS NULL"
    )
    if unexplained:
        raise world.broke("P6", f"a row is set aside without a reason: {dict(unexplained[0])}")
