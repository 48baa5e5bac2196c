"""Webhooks: who is believed, for how long, of which batch, and what is told of the others."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from batchd.core.webhooks import (
    TOLERANCE,
    Message,
    ended_batch,
    is_of_now,
    is_signed,
    message_from,
    signing_key,
)
from batchd.webhooks import door as door_module
from batchd.webhooks import looks as looks_module
from batchd.webhooks.door import Door, Reason, RefusedError
from batchd.webhooks.looks import LOOKS, Looks
from batchd.webhooks.refusals import PAUSE, Refusals

NOW = 1_763_600_001
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
BODY = (
    b'{"id":"evt_demo1","object":"event","created_at":1763600000,"type":"batch.completed","data":{"id":"batch_demo1"}}'
)
# Made once by the vendor's SDK, not by the code under test.
SIGNATURE = "v1,lxOaHF2wRcP6iBdZgzLmEy/2u+znqR9TzG5ktyfJzCM="
KNOWN = {"webhook-id": "wh_demo1", "webhook-timestamp": str(NOW), "webhook-signature": SIGNATURE}

header = st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1, max_size=50)
keys = st.binary(min_size=1, max_size=64)


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Written out once more, by the words of the scheme."""
    text = message_id.encode("latin-1") + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def headers(key: bytes, message_id: str = "wh_1", timestamp: float = NOW, body: bytes = BODY) -> dict[str, str]:
    """The headers of a webhook that is right."""
    signed = signature(key, message_id, str(int(timestamp)), body)
    return {"webhook-id": message_id, "webhook-timestamp": str(int(timestamp)), "webhook-signature": signed}


def read(given_headers: dict[str, str], body: bytes = BODY) -> Message:
    message = message_from(given_headers, body)
    assert message is not None
    return message


def test_a_known_webhook_is_signed() -> None:
    """The signature that the vendor's SDK takes for right is right."""
    assert is_signed(read(KNOWN), [signing_key(SECRET)])


@given(keys, header, st.integers(0, 10**12 - 1), st.binary(max_size=200))
def test_what_is_signed_is_believed(key: bytes, message_id: str, timestamp: int, body: bytes) -> None:
    """Whatever the id, the time, the key and the bytes of the body."""
    message = read(headers(key, message_id, timestamp, body), body)

    assert is_signed(message, [key])
    assert is_signed(message, [b"another", key])


@given(keys, st.sampled_from(["id", "timestamp", "body", "key"]))
def test_what_was_altered_is_not_believed(key: bytes, altered: str) -> None:
    """Each part that is signed is held to its signature."""
    message = read(headers(key))
    if altered == "key":
        key += b"x"
    else:
        changes: dict[str, Any] = {"id": "wh_2", "timestamp": str(NOW + 1), "body": BODY + b" "}
        message = replace(message, **{altered: changes[altered]})

    assert not is_signed(message, [key])


def test_the_parts_cannot_be_shifted() -> None:
    """The scheme signs them with dots between them: one that is moved along makes no time, or no event."""
    signed = headers(b"key", f"wh.{NOW}", NOW)
    shifted = f"{NOW}.".encode() + BODY

    assert message_from({**signed, "webhook-id": "wh", "webhook-timestamp": f"{NOW}.{NOW}"}, BODY) is None
    assert is_signed(read({**signed, "webhook-id": "wh"}, shifted), [b"key"])
    assert ended_batch(shifted) is None


@pytest.mark.parametrize(
    ("signatures", "expected"),
    [
        (f"v1,AAAA {SIGNATURE}", True),
        (f"{SIGNATURE} v1a,AAAA", True),
        (f"v2,{SIGNATURE.removeprefix('v1,')}", False),
        (SIGNATURE.removeprefix("v1,"), False),
        ("v1,", False),
        ("v1,é\xff", False),
        ("no-comma", False),
        (" ".join(["v1,AAAA"] * 8), False),
    ],
)
def test_signatures_as_they_may_be_written(signatures: str, *, expected: bool) -> None:
    """Several are looked at, and only those of the first version; what is none is no error."""
    message = read({**KNOWN, "webhook-signature": signatures})

    assert expected == is_signed(message, [signing_key(SECRET)])


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": ""},
        {"webhook-id": "x" * 201},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "-5"},
        {"webhook-timestamp": "1.5"},
        {"webhook-timestamp": "١٢٣"},
        {"webhook-timestamp": "9" * 13},
        {"webhook-signature": " "},
        {"webhook-signature": " ".join([SIGNATURE] * 9)},
    ],
)
def test_headers_that_make_no_webhook(changes: dict[str, str]) -> None:
    """Missing, beyond measure, or not a time at all: nothing is computed for them."""
    assert message_from({**KNOWN, **changes}, BODY) is None
    assert message_from({name: value for name, value in KNOWN.items() if name not in changes}, BODY) is None


@pytest.mark.parametrize(
    ("away", "expected"), [(0, True), (TOLERANCE, True), (-TOLERANCE, True), (301, False), (-301, False)]
)
def test_a_webhook_is_good_for_300_seconds_either_way(away: float, *, expected: bool) -> None:
    """Measured by the clock that is handed in."""
    assert expected == is_of_now(read(KNOWN), NOW + away)


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (SECRET, bytes(range(24))),
        ("whsec_AAECAw==", bytes(range(4))),
        ("whsec_AAECAw", bytes(range(4))),
        ("plain", b"plain"),
    ],
)
def test_what_a_secret_stands_for(secret: str, expected: bytes) -> None:
    """Base64, with its padding or without; or the text itself, as the vendor's SDK reads it."""
    assert expected == signing_key(secret)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_*secret*", ""])
def test_a_secret_that_is_none_is_not_repeated(secret: str) -> None:
    """The error says what is wrong, and not with what."""
    with pytest.raises(ValueError, match=r"secret|base64") as error:
        signing_key(secret)

    assert "*secret*" not in str(error.value)


@pytest.mark.parametrize("end", ["completed", "failed", "expired", "cancelled"])
def test_an_end_names_its_batch(end: str) -> None:
    """All four of them, and nothing else of the event is read."""
    body = json.dumps({"type": f"batch.{end}", "data": {"id": "batch_1", "status": 5}}).encode()

    assert "batch_1" == ended_batch(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "data", "id", "x"]), inner),
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_names_none(body: bytes) -> None:
    """A signed body that is no end of a batch, whatever it is, is no error."""
    assert ended_batch(body) is None


@pytest.mark.parametrize("batch_id", ["", "é", "batch\0", "x" * 201, 5, None, ["batch_1"]])
def test_an_id_that_no_vendor_gives_is_none(batch_id: object) -> None:
    """It is never asked of the database."""
    body = json.dumps({"type": "batch.completed", "data": {"id": batch_id}}).encode()

    assert ended_batch(body) is None


class Clock:
    """A time that tests set."""

    def __init__(self, seconds: float = NOW) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def heard(door: Door, given_headers: dict[str, str], body: bytes = BODY) -> list[str]:
    """Admitted and remembered, as the receiver does."""
    accounts = door.admit(given_headers, body)
    door.remember(accounts, given_headers["webhook-id"])
    return accounts


def refusal(door: Door, given_headers: dict[str, str]) -> Reason:
    with pytest.raises(RefusedError) as refused:
        door.admit(given_headers, BODY)
    return refused.value.reason


def test_a_webhook_belongs_to_the_accounts_whose_secret_signed_it() -> None:
    """Each account has secrets of its own; two accounts of one project may have the same."""
    door = Door({"one": [b"1"], "two": [b"2"], "same": [b"2"], "none": []}, Clock())

    assert ["one"] == heard(door, headers(b"1", "a"))
    assert ["two", "same"] == heard(door, headers(b"2", "b"))
    assert refusal(door, headers(b"3", "c")) is Reason.UNSIGNED


def test_both_secrets_are_good_while_they_are_changed() -> None:
    """The old one and the new one, alone or together."""
    door = Door({"one": [b"old", b"new"]}, Clock())
    both = headers(b"new", "c")
    both["webhook-signature"] += " " + headers(b"old", "c")["webhook-signature"]

    assert ["one"] == heard(door, headers(b"old", "a"))
    assert ["one"] == heard(door, headers(b"new", "b"))
    assert ["one"] == heard(door, both)


def test_the_same_again_is_heard_once() -> None:
    """A repeat, with its own time or replayed to the byte, as long as it would be let in."""
    clock = Clock()
    door = Door({"one": [b"1"]}, clock)
    ahead = headers(b"1", "a", NOW + 299)
    first = heard(door, ahead)
    clock.seconds += 200
    retried = heard(door, headers(b"1", "a", clock.seconds))
    clock.seconds = NOW + 599
    replayed = heard(door, ahead)
    clock.seconds += 1

    assert [["one"], [], []] == [first, retried, replayed]
    assert refusal(door, ahead) is Reason.UNTIMELY


def test_a_time_that_is_not_ours_is_told_apart_from_no_signature() -> None:
    """One is a forgery, the other a clock to look at; only the log says which."""
    door = Door({"one": [b"1"]}, Clock())

    assert refusal(door, headers(b"1", "a", NOW - 301)) is Reason.UNTIMELY
    assert refusal(door, headers(b"x", "a", NOW - 301)) is Reason.UNSIGNED


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By time, and by number: then the oldest goes."""
    monkeypatch.setattr(door_module, "_MOST_REMEMBERED", 3)
    clock = Clock()
    door = Door({"one": [b"1"]}, clock)
    for number in range(10):
        heard(door, headers(b"1", f"wh_{number}"))
    few = len(door._heard)
    newest_again = heard(door, headers(b"1", "wh_9"))
    clock.seconds += 2 * TOLERANCE + 1
    heard(door, headers(b"1", "late", clock.seconds))

    assert few <= 3
    assert [] == newest_again
    assert [("one", "late")] == list(door._heard)


def test_forgeries_are_not_remembered() -> None:
    """Nobody without a secret takes up memory, nor keeps a true webhook of the same id out."""
    door = Door({"one": [b"1"]}, Clock())
    for number in range(100):
        refusal(door, headers(b"x", f"wh_{number}"))

    assert 0 == len(door._heard)
    assert ["one"] == heard(door, headers(b"1", "wh_5"))


def test_a_flood_of_forgeries_is_two_lines() -> None:
    """The first is told at once, the others a minute later, by their number."""
    clock = Clock(0.0)
    refusals = Refusals(clock)
    with capture_logs() as logs:
        for number in range(10_000):
            clock.seconds = number * 0.001
            refusals.count("unsigned")
        refusals.count("untimely")
        clock.seconds = PAUSE
        refusals.tell()
        refusals.tell()

    told = [{name: line[name] for name in line if name not in ("event", "log_level")} for line in logs]
    assert [{"unsigned": 1}, {"unsigned": 9_999, "untimely": 1}] == told


def test_an_announced_batch_is_looked_at_at_once_and_then_ever_less_often() -> None:
    """An event that comes before the vendor's own answers know of it makes no busy loop."""
    looks, now, seen = Looks(60.0), 0.0, []
    looks.announce("one", "batch_1", now)
    while (wait := looks.seconds_to_next(now)) is not None:
        now += wait
        seen.append(now)
        looks.looked("one", looks.due(now)["one"], {"batch_1"}, now)

    assert [0.0, 5.0, 15.0, 35.0, 75.0, 155.0, 315.0] == seen
    assert LOOKS == len(seen)


@pytest.mark.parametrize(("check_interval", "expected"), [(60.0, 5.0), (0.5, 0.5)])
def test_looks_are_no_further_apart_than_usual(check_interval: float, expected: float) -> None:
    """Who looks twice a second anyway is not slowed down by an event."""
    looks = Looks(check_interval)
    looks.announce("one", "batch_1", 0.0)
    looks.looked("one", ["batch_1"], {"batch_1"}, 0.0)

    assert expected == looks.seconds_to_next(0.0)


def test_what_has_ended_or_is_not_ours_is_looked_at_once() -> None:
    """Nothing of it is kept."""
    looks = Looks(60.0)
    looks.announce("one", "batch_1", 0.0)
    looks.looked("one", ["batch_1"], frozenset(), 0.0)

    assert looks.seconds_to_next(0.0) is None


def test_what_is_announced_during_a_look_is_looked_at_again() -> None:
    """The look may have been too early to see what the second event tells."""
    looks = Looks(60.0)
    looks.announce("one", "batch_1", 0.0)
    looks.announce("one", "batch_1", 2.0)
    looks.looked("one", ["batch_1"], frozenset(), 1.0)

    assert {"one": ["batch_1"]} == looks.due(2.0)


def test_what_waits_to_be_looked_at_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """More is not taken, save for batches that wait already."""
    monkeypatch.setattr(looks_module, "MOST", 2)
    looks = Looks(60.0)

    assert [True, True, False, True] == [looks.announce("one", name, 0.0) for name in ("a", "b", "c", "a")]
