"""What a look at the setup tells: remarks, each fine, worth knowing, or wrong, and a report of them."""

from dataclasses import dataclass, field
from typing import Literal

from batchd.errors import BatchdError


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was looked at: fine, worth knowing, or wrong."""

    level: Literal["ok", "warning", "problem"]
    subject: str
    sentence: str
    next_command: str = ""
    exit_code: int = 0


@dataclass(slots=True)
class Report:
    """What a check found; ``prompts`` holds the beginning of one rendered prompt per task."""

    remarks: list[Remark] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=dict)

    @property
    def problems(self) -> list[Remark]:
        """What must be mended before the tasks can run."""
        return [remark for remark in self.remarks if remark.level == "problem"]


def problem(subject: str, error: BatchdError) -> Remark:
    """An error as a remark: its sentence, its next command, its exit code."""
    return Remark("problem", subject, str(error), error.next_command, error.exit_code)
