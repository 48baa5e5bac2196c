"""Reads the lists of sabotages: what is changed where, which promise that breaks, and which tests must notice."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTS = tuple(
    Path(__file__).with_name(name) for name in ("sabotages.toml", "sabotages_databases.toml", "sabotages_service.toml")
)


@dataclass(frozen=True, slots=True)
class Sabotage:
    """One small change that breaks a promise.

    Attributes:
        name: what is broken, in a few words.
        promise: its number in ``docs/explanation/promises.md``.
        file: where, from the repository's root.
        find: the text that is replaced; it stands there exactly once.
        replace: what is put in its place.
        tests: pytest's arguments for the tests that should notice; the whole suite where they don't.
    """

    name: str
    promise: int
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]

    def applied_to(self, text: str) -> str:
        """The file's text, sabotaged. Raises ValueError where it does not hold the text exactly once."""
        if text.count(self.find) != 1:
            raise ValueError(f"{self.name}: {self.file} holds the text {text.count(self.find)} times, not once")
        return text.replace(self.find, self.replace)


def sabotages() -> list[Sabotage]:
    """All of them, in the order of the lists."""
    entries = [one for path in LISTS for one in tomllib.loads(path.read_text(encoding="utf-8"))["sabotage"]]
    return [Sabotage(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]
