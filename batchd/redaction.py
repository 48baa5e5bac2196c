"""The last line of defence: what looks like a secret, or is one, is taken out of what is logged or told.

Nothing that is logged should hold one in the first place. What is looked for: secrets that this process has read,
wherever they occur, and what secrets look like. Content of rows can't be told by its looks: it is kept out by never
passing on a foreign error's words, by cutting what is long, and by leaving bytes out.
"""

import json
import re
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from batchd.errors import BatchdError

HIDDEN = "***"
# journald breaks lines of 48 KiB apart, and nobody reads them.
_LONGEST = 2_000
_MOST = 100
_DEEPEST = 6
# A shorter one would be found in every word. Keys are never so short.
_SHORTEST_SECRET = 4
_LOOKS_SECRET = re.compile(
    r"""
      (?<![\w-]) sk-[\w-]{4,}                                       # a key of OpenAI and its kind
    | (?<!\w) whsec_[\w+/=-]+                                       # a webhook's signing secret
    | (?<!\w) eyJ[\w-]+\.[\w-]+\.[\w-]*                             # a token of Entra ID
    | (?P<scheme>\b(?:bearer|basic)\s+) [\w.~+/=-]{6,}
    | (?P<user>\b[a-z][\w+.-]*://[^\s:/@]*:) [^\s]+ (?=@)           # a URL's password, to its last @
    | (?P<header>\b(?:x-)?api-key["']?\s*[:=]\s*["']?) [^\s"',;}{]+
    | (?P<option>(?:password|passwd|pwd|passphrase|secret|token|api_?key|accountkey|(?<![a-z])sig)=) [^\s&;,"'{*…]+
    | (?P<member>["'](?:\w*password|passwd|pwd|passphrase|\w*secret|\w*token|api_?key|authorization)["']\s*:\s*["'])
      [^"']+
    """,
    re.IGNORECASE | re.VERBOSE,
)
_KEPT = ("scheme", "user", "header", "option", "member")
_SECRET_NAME = re.compile(
    r"password|passwd|pwd|passphrase|.*secret|.*[_-]token|token|(x-)?api[_-]?key|authorization|cookie", re.IGNORECASE
)
_PASSWORD = re.compile(r"^[\w+.-]+://[^:/]*:(?P<password>.+)@", re.DOTALL)
_ODBC_PASSWORD = re.compile(r"[;?&=](?:pwd|password)=(?P<password>[^;&]+)", re.IGNORECASE)
# Words of the interpreter about code: they name no value.
_ABOUT_CODE = (AttributeError, ImportError, NameError)
_PACKAGE = Path(__file__).resolve().parent


class _Secrets:
    """Those that this process has read, in every way they may be written."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._written: re.Pattern[str] | None = None

    def add(self, spellings: Iterable[str]) -> None:
        known = self._known | {one for one in spellings if len(one) >= _SHORTEST_SECRET}
        if known != self._known:
            # The longest first: a part of it may be another one.
            listed = sorted(known, key=len, reverse=True)
            self._known, self._written = known, re.compile("|".join(map(re.escape, listed)))

    def hidden_in(self, text: str) -> str:
        return text if self._written is None else self._written.sub(HIDDEN, text)


_SECRETS = _Secrets()


def keep_secret(value: str) -> None:
    """From now on, no line that passes here has this value in it; of a URL or connection string, its password."""
    passwords = [
        found["password"] for look in (_PASSWORD, _ODBC_PASSWORD) for found in look.finditer(unquote_plus(value))
    ]
    passwords += [found["password"] for found in _PASSWORD.finditer(value)]
    for secret in (value.strip(), *passwords):
        _SECRETS.add(_spellings(secret))


def redacted(text: str) -> str:
    """The text with ``***`` for each secret in it."""
    return _LOOKS_SECRET.sub(_hide, _SECRETS.hidden_in(text))


def cleaned(value: object, depth: int = 0) -> object:
    """A value as it may be logged: no secret, nothing long or deep, no bytes, no foreign error's own words."""
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _cleaned_parts(value, depth + 1) if depth < _DEEPEST else "…"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value):,} bytes>"
    return told(value) if isinstance(value, BaseException) else _short(str(value))


def _cleaned_parts(value: Mapping[Any, object] | Collection[object], depth: int) -> object:
    if isinstance(value, Mapping):
        return {_short(str(name)): cleaned_as(str(name), one, depth) for name, one in islice(value.items(), _MOST)}
    shown = [cleaned(one, depth) for one in islice(value, _MOST)]
    return shown if len(value) <= _MOST else [*shown, f"… and {len(value) - _MOST:,} more"]


def cleaned_as(name: str, value: object, depth: int = 0) -> object:
    """The same for a value with a name: some names say that it is a secret."""
    return HIDDEN if value and _SECRET_NAME.fullmatch(name) else cleaned(value, depth)


def told(error: BaseException) -> str:
    """An error in one line: our own words, or the kind and place of a foreign one, whose words may quote a row."""
    if isinstance(error, BatchdError):
        return _short(str(error))
    return f"{type(error).__name__} at {place_of(error)}"


def place_of(error: BaseException) -> str:
    """``file:line`` where an error was raised, in our own code where it came by there."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    if not frames:
        return "an unknown place"
    last = (ours or frames)[-1]
    shown = Path(last.filename)
    name = shown.relative_to(_PACKAGE.parent) if shown.is_relative_to(_PACKAGE) else shown.name
    return f"{name}:{last.lineno}"


def traceback_of(error: BaseException) -> str:
    """The traceback of an error and of what led to it: places and code, no variables, no foreign words."""
    return redacted("\n".join(_lines_of(traceback.TracebackException.from_exception(error), error)))


def _lines_of(shown: traceback.TracebackException, error: BaseException) -> Iterator[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    earlier = shown.__cause__ or shown.__context__
    if before is not None and earlier is not None:
        yield from _lines_of(earlier, before)
        yield ""
        yield "which led to:" if error.__cause__ is None else "which was the cause of:"
        yield ""
    yield from (line.rstrip("\n") for line in shown.stack.format())
    is_told = isinstance(error, (BatchdError, *_ABOUT_CODE))
    words = f": {error}" if is_told else " (its words are left out: they may quote a row)" if error.args else ""
    yield f"{type(error).__qualname__}{words}"


def _hide(found: re.Match[str]) -> str:
    return "".join(found[name] or "" for name in _KEPT) + HIDDEN


def _short(text: str) -> str:
    # Cut behind the redaction: half a secret would not be known as one. Of a long text only what may be shown is read.
    shown = redacted(text[: 2 * _LONGEST])
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… ({len(text):,} characters)"


def _spellings(secret: str) -> set[str]:
    quoted = {quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    return {secret, unquote(secret), *quoted}
