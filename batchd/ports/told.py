"""What lasts is told once, not with every pass that meets it."""

import threading


class Told:
    """What this process has said of each subject last. Several threads may ask at once."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._lock = threading.Lock()

    def is_news(self, subject: str, words: str) -> bool:
        """True where this was not what was said of it last; empty words are that nothing is wrong with it."""
        with self._lock:
            was = self._last.get(subject, "")
            self._last[subject] = words
        return was != words
