"""Which processes run, for those who look at the ledger."""

from typing import Protocol


class Processes(Protocol):
    """``batchd_process``."""

    def show(self, owner: str, version: str, seconds: float) -> None:
        """It is there, and will have said so again within ``seconds``."""

    def leave(self, owner: str) -> None:
        """It ends."""

    def forget_others(self, owner: str, seconds: float) -> None:
        """Of other processes, those that are known to be dead, and those that are silent for so long."""
