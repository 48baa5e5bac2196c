"""A string for a simple regular expression: literals, classes, groups, alternatives and counted repeats."""

import re
from collections.abc import Callable

CLASSES = {"d": "0123456789", "w": "abcdefghijklmnopqrstuvwxyz", "s": " "}
ANY = "abcdefghijklmnopqrstuvwxyz"
COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def matching_string(pattern: str, choose: Callable[[str, int], int]) -> str | None:
    """Return a string that the pattern finds itself in; None when the pattern is beyond this small reader.

    ``choose(place, n)`` returns a number below ``n``; it decides between alternatives and characters.
    """
    try:
        made = _Reader(pattern, choose).alternatives()
        return made if re.search(pattern, made) else None
    except (IndexError, KeyError, ValueError, re.error):
        return None


class _Reader:
    def __init__(self, pattern: str, choose: Callable[[str, int], int]) -> None:
        self._pattern = pattern
        self._at = 0
        self._choose = choose

    def alternatives(self) -> str:
        branches = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence())
        return branches[self._choose(f"|{self._at}", len(branches))]

    def _sequence(self) -> str:
        made = ""
        while self._peek() not in ("", "|", ")"):
            start = self._at
            piece = self._atom()
            end = self._at
            for repeat in range(self._repeats()):
                made += piece if repeat == 0 else self._again(start, end, repeat)
        return made

    def _again(self, start: int, end: int, repeat: int) -> str:
        fresh = _Reader(self._pattern[start:end], lambda place, n: self._choose(f"{place}*{start}.{repeat}", n))
        return fresh._atom()

    def _atom(self) -> str:
        character = self._next()
        if character in "^$":
            return ""
        if character == "(":
            return self._group()
        if character == "[":
            return self._pick(self._class())
        if character == ".":
            return self._pick(ANY)
        return self._pick(self._escape()) if character == "\\" else character

    def _group(self) -> str:
        if self._pattern.startswith("?:", self._at):
            self._at += 2
        elif self._peek() == "?":
            raise ValueError(self._pattern)
        made = self.alternatives()
        self._at += 1
        return made

    def _class(self) -> str:
        if self._peek() == "^":
            raise ValueError(self._pattern)
        members = ""
        while (character := self._next()) != "]":
            if character == "\\":
                members += self._escape()
            elif self._peek() == "-" and self._pattern[self._at + 1] != "]":
                last = self._pattern[self._at + 1]
                members += "".join(map(chr, range(ord(character), ord(last) + 1)))
                self._at += 2
            else:
                members += character
        return members

    def _escape(self) -> str:
        character = self._next()
        return CLASSES[character] if character.isalnum() else character

    def _repeats(self) -> int:
        character = self._peek()
        if character in ("?", "*", "+"):
            self._at += 1
            return 1
        counted = COUNT.match(self._pattern, self._at)
        if not counted:
            return 1
        self._at = counted.end()
        return int(counted.group(1)) or 1 if counted.group(2) != "0" else 0

    def _pick(self, members: str) -> str:
        return members[self._choose(f"[{self._at}", len(members))]

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]
