"""Lines that go wrong on purpose: which ones, and what their answers look like."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson

from batchd.sandbox.replies import CONTENT_FILTER, LENGTH, Answer

INSTEAD_OF_RUNNING = ("rejected", "errored_429", "errored_500", "status_0", "expired")
AROUND_THE_LINE = ("missing", "duplicate_same", "duplicate_different", "both_files", "unknown_id")
TOO_LONG_CHARACTERS = 5_000
BIG_LINE_BYTES = 1_000_000
SEPARATORS = "\u2028\u2029\u0085"
# Stands where a byte shall stand that no UTF-8 text has; a private character, that no answer has.
NO_UTF8 = "\ue0ff"


Distortion = Callable[[Answer], Answer]
DISTORTIONS: dict[str, Distortion] = {
    "invalid_json": lambda said: replace(said, text=f"Here is the answer: {said.text[:-1]}"),
    "wrong_schema": lambda said: replace(said, text='{"unexpected": true}'),
    "too_long": lambda said: replace(said, text=_with_string(said.text, _lengthened)),
    "truncated": lambda said: replace(said, text=said.text[: len(said.text) // 2], finish=LENGTH),
    "refused": lambda said: replace(said, text="", refusal="I can't help with that."),
    "content_filter": lambda said: replace(said, text="", finish=CONTENT_FILTER),
    "u2028": lambda said: replace(said, text=_with_string(said.text, _separated)),
    "invalid_utf8": lambda said: replace(said, text=_with_string(said.text, lambda text: text + NO_UTF8)),
    "big_line": lambda said: replace(said, text=said.text + " " * BIG_LINE_BYTES),
}
KINDS = (*INSTEAD_OF_RUNNING, *AROUND_THE_LINE, *DISTORTIONS)


@dataclass(frozen=True)
class LineFaults:
    """How often (0 to 1) lines go wrong, and how; ``kind_by_input`` aims at lines by their input's text."""

    rate: float = 0.0
    seed: int = 1
    kinds: tuple[str, ...] | list[str] = ()
    kind_by_input: tuple[dict[str, str], ...] | list[dict[str, str]] = ()


def choose_kind(faults: LineFaults, custom_id: str, text: str) -> str | None:
    """Return the way in which a line goes wrong, None for a sound one; the same for the same seed and id."""
    for aim in faults.kind_by_input:
        if aim["contains"] in text:
            return aim["kind"]
    digest = hashlib.sha256(f"{faults.seed}\0{custom_id}".encode("utf-8", "replace")).digest()
    if not faults.kinds or int.from_bytes(digest[:8], "big") >= faults.rate * 2**64:
        return None
    return faults.kinds[int.from_bytes(digest[8:16], "big") % len(faults.kinds)]


def distort(answer: Answer, kind: str | None) -> Answer:
    """Return the answer as this kind of fault leaves it; other kinds do not touch the answer."""
    change = DISTORTIONS.get(kind or "")
    return answer if change is None else change(answer)


def altered(answer: Answer) -> Answer:
    """Return another answer to the same question, for the second of two lines that disagree."""
    return replace(answer, text=_with_string(answer.text, lambda text: f"{text} (again)"))


def _lengthened(text: str) -> str:
    return (f"{text or 'word'} " * TOO_LONG_CHARACTERS)[:TOO_LONG_CHARACTERS]


def _separated(text: str) -> str:
    return text[: len(text) // 2] + SEPARATORS + text[len(text) // 2 :]


def _with_string(text: str, change: Callable[[str], str]) -> str:
    """Change the first string of a JSON answer, or the answer itself when it is plain text."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return change(text)
    changed, _ = _change_first(value, change)
    return orjson.dumps(changed).decode()


def _change_first(value: object, change: Callable[[str], str]) -> tuple[object, bool]:
    if isinstance(value, str):
        return change(value), True
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, inner in items:
        changed, done = _change_first(inner, change)
        if done:
            value[key] = changed  # type: ignore[index]
            return value, True
    return value, False
