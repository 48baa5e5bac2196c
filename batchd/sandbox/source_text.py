"""The text that answers are made from: its words, lines, numbers and names, and choices that never vary."""

import hashlib
import re
from functools import cached_property

TAG = re.compile(r"</?[A-Za-z][^<>]*>")
WORD = re.compile(r"[^\W_]+(?:(?:['+#-]|\.(?=[a-z\d]))[^\W_]+)*[+#]*")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
NAME = re.compile(r"[^\W\d_a-z][\w'-]*(?: +(?:[^\W\d_a-z][\w'.-]*)){0,2}")
TERM = re.compile(r"[^\W\d_a-z]\w|\w[+#]")
PHRASE_WORDS = 6
MOST_CHARACTERS = 20_000


class SourceText:
    """Finds values in an input; each choice follows from the input and the value's place in the answer."""

    def __init__(self, text: str, identity: str) -> None:
        """Take the user's text, without markup, and the identity of the whole input."""
        self.text = TAG.sub(" ", text[:MOST_CHARACTERS])
        self._identity = identity

    def choose(self, place: str, choices: int) -> int:
        """Return a number from 0 to ``choices - 1``: the same for the same input and place."""
        digest = hashlib.sha256(f"{self._identity}\0{place}".encode("utf-8", "replace")).digest()
        return int.from_bytes(digest[:8], "big") % choices

    def phrase(self, place: str, words: int = PHRASE_WORDS) -> str:
        """Return some words that follow each other in one line of the text; ``""`` when it has none."""
        if not self.lines:
            return ""
        line = self.lines[self.choose(place, len(self.lines))]
        start = self.choose(place + "+", max(1, len(line) - words + 1))
        return " ".join(line[start : start + words])

    def beginning(self, words: int) -> str:
        """Return the first words of the text."""
        return " ".join(self.text.split()[:words])

    def mentions(self, value: str) -> bool:
        """Tell whether the text has a word or phrase, in capitals or not."""
        found = re.search(rf"(?<!\w){re.escape(value)}(?!\w)", self.text, re.IGNORECASE)
        return bool(value) and found is not None

    @cached_property
    def lines(self) -> list[list[str]]:
        """The lines that have words, as lists of words."""
        return [words for line in self.text.splitlines() if (words := WORD.findall(line))]

    @cached_property
    def terms(self) -> list[str]:
        """The words that look like proper terms: with a capital, a digit or a sign in them; each once."""
        words = [word for line in self.lines for word in line[1:]]
        return list(dict.fromkeys(word for word in words if TERM.search(word)))

    @cached_property
    def name(self) -> str:
        """The first capitalised words, at most three; ``""`` when there are none."""
        found = NAME.search(self.text)
        return found.group() if found else ""

    @cached_property
    def email(self) -> str:
        """The first e-mail address; ``""`` when there is none."""
        found = EMAIL.search(self.text)
        return found.group() if found else ""

    @cached_property
    def numbers(self) -> list[float]:
        """The numbers written in digits, in their order."""
        return [float(found) for found in NUMBER.findall(self.text)]
