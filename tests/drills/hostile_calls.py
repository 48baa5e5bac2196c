"""A hostile vendor, call by call: every route that fails, hangs, babbles, refuses, or shows half of what is there."""

from collections.abc import Iterator

from tests.drills.hostile_acts import (
    batches_made,
    clock_stands,
    is_left,
    is_told,
    time_has_come,
    vendor_clock_right,
    vendor_does,
    vendor_passes,
    waits,
)
from tests.drills.hostile_case import (
    AGAIN,
    AT_ONCE,
    CANCEL,
    CHECK,
    RESUME,
    ROWS,
    SEND_AGAIN,
    SUBMIT,
    THREE_BATCHES,
    Acts,
    Case,
    Words,
    case,
    rule,
    script,
)
from tests.drills.scenarios import RUN, clear_faults, routes

_HTML: Words = {"status": 502, "html": True, "headers": AT_ONCE}
# Ways in which a call goes wrong: before it did anything, or when it was done.
BEFORE: dict[str, Words] = {
    "500 before the effect": {"status": 500, "headers": AT_ONCE},
    "dropped before the effect": {"drop": True},
    "an HTML page before the effect": _HTML,
}
AFTER: dict[str, Words] = {
    "500 after the effect": {"status": 500, "after_effect": True, "headers": AT_ONCE},
    "dropped after the effect": {"drop": True, "after_effect": True},
    "an HTML page after the effect": {**_HTML, "after_effect": True},
    "a list in place of an object": {"body": "[]", "after_effect": True},
    "an empty reply": {"body": "", "after_effect": True},
}
# The last ones are answers of a kind: a file that tells no size, a list without batches.
_BABBLE = ({"body": "null"}, {"body": '"fine"'}, {"body": ""}, {"body": "{}"}, {"body": "[]"})
_BUSY: Words = {"status": 429, "code": "rate_limit_exceeded", "type": "requests"}
_BILLING: tuple[Words, ...] = (
    {"status": 429, "code": "insufficient_quota"},
    {"status": 429, "type": "insufficient_quota"},
    {"status": 429, "code": "organization_usage_limit_exceeded"},
    {"status": 429, "code": "billing_hard_limit_reached"},
    {"status": 400, "code": "billing_hard_limit_reached"},
    {"status": 429, "code": "billing_not_active"},
)
# The silence that reads and uploads bear is a quarter of it; the hanging calls outlast that.
_HASTE: Words = {"timeout": "4s"}
_HANG = 1.3
_HANG_CREATE = 0.8
# So often a call fails that the SDK has given up once, also where two are made side by side: each is tried three times.
_OFTEN = 5


def uploads() -> Iterator[Case]:
    """``POST /files``: whatever became of one, the next try uploads anew; a file costs nothing."""
    yield case("upload: fails before the effect", script("files.create", *BEFORE.values(), *_BABBLE[:2]), killed=True)
    yield case("upload: fails after the effect", script("files.create", *AFTER.values()), killed=True)
    yield case("upload: hangs", rule("files.create", hang=_HANG, after_effect=True), settings=_HASTE)
    yield case("upload: hangs without effect", rule("files.create", hang=_HANG, drop=True), settings=_HASTE)
    yield case("upload: 500 again and again", rule("files.create", times=_OFTEN, status=500))


def creates() -> Iterator[Case]:
    """``POST /batches``: what is not known is looked for, and never sent twice."""
    for way, fault in {**BEFORE, **AFTER}.items():
        killed = "500" in way or "dropped" in way
        # Without a header that forbids it: the create must not be repeated all the same.
        yield case(f"create: {way}", rule("batches.create", **{**fault, "headers": {}}), killed=killed)
    hang: Words = {"hang": _HANG_CREATE}
    yield case("create: hangs without effect", rule("batches.create", drop=True, **hang))
    yield case("create: hangs after the effect", rule("batches.create", after_effect=True, **hang), killed=True)
    yield case("create: takes effect when the client has gone", rule("batches.create", **hang))
    late: Acts = (RUN, batches_made(2), RUN)
    yield case(
        "create: takes effect when it was given up", rule("batches.create", hang=4), late, codes=(0, 0), created=2
    )
    for status in (408, 409):
        yield case(f"create: {status} after the effect", rule("batches.create", status=status, after_effect=True))
    yield case("create: 409 before the effect", rule("batches.create", status=409))
    hold: Words = {"settings": {"resubmit": "hold"}}
    ask: Acts = (RUN, is_told("unknown-submit"), SEND_AGAIN, RUN)
    lost, made = rule("batches.create", status=500), rule("batches.create", status=500, after_effect=True)
    yield case("create: not made, and no fence is wanted", lost, ask, codes=(12, 0, 0), **hold)
    yield case("create: made, and no fence is wanted", made, **hold)
    fences = script("files.delete", *BEFORE.values(), AFTER["500 after the effect"])
    yield case("fence: the deletion fails", routes(*lost["routes"], *fences["routes"]), killed=True)


def reads() -> Iterator[Case]:
    """Looks, lists and downloads are made again."""
    failures = (*BEFORE.values(), *_BABBLE)
    yield case("batches.retrieve: a script of failures", script("batches.retrieve", *failures), killed=True)
    yield case("files.retrieve: a script of failures", script("files.retrieve", *failures[:-1]), killed=True)
    # What babbles is a file that is too short: looked at again once, then a person's.
    yield case(
        "files.content: a script of failures", script("files.content", *BEFORE.values(), _BABBLE[-1]), killed=True
    )
    # Two processes read the list at their start.
    listed = script("batches.list", {}, {}, *failures)
    polls: Acts = (SUBMIT, RUN)
    yield case("batches.list: a script of failures while polling", listed, polls, codes=(0, 0), **THREE_BATCHES)
    unread: Acts = (SUBMIT, is_told("list-unread"), RUN)
    yield case(
        "batches.list: 500 at the start", rule("batches.list", status=500, headers=AT_ONCE), unread, codes=(12, 0)
    )
    for route in ("batches.retrieve", "batches.list", "files.content"):
        yield case(f"{route}: hangs", rule(route, hang=_HANG), settings=_HASTE)
    for route in ("batches.retrieve", "files.content"):
        yield case(f"{route}: 500 again and again", rule(route, times=_OFTEN, status=500))


def cancels() -> Iterator[Case]:
    """``POST /batches/…/cancel``: what a person asked for is done, or said not to be."""
    gone: Words = {"gates": {"held": ROWS}, "outcomes": {"cancelled": ROWS}, "settings": {"batch_duration": "100s"}}
    begin: Acts = (clock_stands, SUBMIT, vendor_passes(2))
    end: Acts = (vendor_passes(50), CHECK, vendor_clock_right, RUN)
    for when, ways in {"before": BEFORE, "after": AFTER}.items():
        failures = script("batches.cancel", *ways.values())
        codes = (0, *([12] * len(ways) if ways is BEFORE else [0] * len(ways)), 0, 3, 0)
        acts: Acts = (*begin, *[CANCEL] * (len(ways) + 1), *end)
        yield case(f"cancel: fails {when} the effect", failures, acts, codes=codes, **gone)


def limits() -> Iterator[Case]:
    """429: what the vendor asks for is waited for."""
    for route in ("files.create", "batches.create"):
        # A short wait is waited for; of a long one the ledger must show that it would be.
        asked: Words = {"headers": {"Retry-After": "1", **AT_ONCE}}
        acts: Acts = (SUBMIT, waits(1), RUN)
        yield case(f"{route}: 429, Retry-After 1", rule(route, **_BUSY, **asked), acts, codes=(12, 0), killed=True)
        faults = rule(route, times=2, **_BUSY, headers={"Retry-After": "121"})
        acts = (SUBMIT, waits(121), SUBMIT, is_left(1), time_has_come, *AGAIN)
        yield case(f"{route}: 429, Retry-After 121", faults, acts, codes=(12, 0, 0))
        busy: Words = {**_BUSY, "headers": AT_ONCE}
        plain: Words = {"status": 429, "body": "slow down", "headers": AT_ONCE}
        yield case(f"{route}: 429 without Retry-After, or the usual body", script(route, busy, busy, plain))
    for route in ("batches.retrieve", "files.content"):
        faults = rule(route, **_BUSY, headers={"Retry-After": "3600"})
        acts = (SUBMIT, CHECK, waits(3600), clear_faults, time_has_come, RUN)
        yield case(f"{route}: 429, Retry-After 3600", faults, acts, codes=(0, 12, 0))


def out_of_money() -> Iterator[Case]:
    """The task stops at once: one finding, no try charged, no second call, until a person lets it go on."""
    stopped: Words = {"settings": {"batch_size": 3}, "codes": (3, 0, 0), "created": 2}
    acts: Acts = (RUN, is_told("billing-stop"), is_left(4), clear_faults, RESUME, RUN)
    twice: Acts = (*acts[:3], RUN, *acts[2:])
    for refusal in _BILLING:
        words = " ".join(f"{name} {word}" for name, word in refusal.items())
        faults = rule("batches.create", times=5, **refusal)
        yield case(f"create: {words}", faults, acts, killed=refusal is _BILLING[0], **stopped)
    faults = rule("files.create", times=5, **_BILLING[0], headers=AT_ONCE)
    yield case("upload: out of money, and run again", faults, twice, **{**stopped, "codes": (3, 3, 0, 0)})


def keys() -> Iterator[Case]:
    """401 and 403 in the middle: exit code 4, a finding, and nothing is lost."""
    refused: Words = {"code": "invalid_api_key", "type": "invalid_request_error"}
    told: Acts = (RUN, is_told("vendor-auth"), *AGAIN)
    for route in ("files.create", "batches.create", "batches.retrieve", "files.retrieve", "files.content"):
        for status in (401, 403) if route == "batches.create" else (401,):
            yield case(f"{route}: {status}", rule(route, times=None, status=status, **refused), told, codes=(4, 0))
    faults = rule("batches.list", times=None, status=401, **refused)
    yield case(
        "batches.list: 401 at the start", faults, (RUN, is_told("list-unread", "vendor-auth"), *AGAIN), codes=(4, 0)
    )
    acts: Acts = (SUBMIT, vendor_does(faults), RUN, is_told("vendor-auth", "list-unread"), *AGAIN)
    yield case("batches.list: 401 while polling", {}, acts, codes=(0, 4, 0), **THREE_BATCHES)


def not_found() -> Iterator[Case]:
    """404: a batch or file that the vendor does not know is never an outcome of its rows."""
    gone: Words = {"status": 404, "type": "invalid_request_error"}
    vanished: Acts = (RUN, is_told("batch-vanished"))
    once, for_good = rule("batches.retrieve", **gone), rule("batches.retrieve", times=None, **gone)
    yield case("poll: 404 once", once, (*vanished, RUN), codes=(20, 0), killed=True)
    yield case("poll: 404 for good", for_good, (*vanished, RUN, *AGAIN), codes=(20, 20, 0), killed=True)
    yield case("poll: an HTML page with 404", rule("batches.retrieve", status=404, html=True))
    yield case("content: 404 once", rule("files.content", **gone), killed=True)
    short: Acts = (RUN, is_told("short-results"), *AGAIN)
    yield case("content: 404 for good", rule("files.content", times=None, **gone), short, codes=(20, 0), killed=True)
    yield case("file: 404", rule("files.retrieve", times=None, **gone))
    unread: Acts = (RUN, is_told("list-unread"), *AGAIN)
    yield case("list: 404", rule("batches.list", times=None, **gone), unread, codes=(12, 0))


def lists() -> Iterator[Case]:
    """A create that was not answered is found, however the list shows it."""
    made: Words = rule("batches.create", status=500, after_effect=True)
    lost: Words = rule("batches.create", status=500)
    shows: dict[str, Words] = {
        "a batch a page": {"page_size": 1},
        "oldest first, two batches a page": {"list_order": "oldest", "page_size": 2},
        "in no order, two batches a page": {"list_order": "shuffled", "page_size": 2},
        "the newest late": {"hide_newest_calls": 2},
        "the newest between two pages": {"hide_newest_calls": 2, "page_size": 1, "list_order": "oldest"},
        "more after its end": {"list_end": "empty_pages", "page_size": 2},
    }
    for way, batches in shows.items():
        yield case(f"list: {way}; one was made", {**made, "batches": batches}, killed="new" in way, **THREE_BATCHES)
    for way in ("in no order, two batches a page", "more after its end"):
        yield case(f"list: {way}; none was made", {**lost, "batches": shows[way]})
    endless = vendor_does({"batches": {"list_end": "repeats", "page_size": 1}})
    acts: Acts = (SUBMIT, endless, RUN, is_told("list-unread"), *AGAIN)
    yield case("list: repeats itself; one was made", made, acts, codes=(12, 12, 0))
    acts = (SUBMIT, endless, RUN, is_told("list-unread", "unknown-submit"), SEND_AGAIN, *AGAIN)
    yield case("list: repeats itself; none was made", lost, acts, codes=(12, 12, 0, 0))


CASES: tuple[Case, ...] = (
    *uploads(),
    *creates(),
    *reads(),
    *cancels(),
    *limits(),
    *out_of_money(),
    *keys(),
    *not_found(),
    *lists(),
)
