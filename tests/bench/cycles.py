"""Whole cycles, the contestants taking turns."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.bench.contestants import Race, command_of, environment_of, judge, prepare
from tests.bench.process import measured
from tests.bench.results import Figure, Question, Run
from tests.bench.vendor_process import VendorProcess


def cycle(race: Race, vendor: VendorProcess, contestant: str, rows: int) -> Run:
    """One contestant's run, from fresh rows, judged when it has ended. Raises RunFailedError."""
    prepare(race, contestant)
    vendor.forget()
    run = measured(command_of(race, contestant), environment_of(race))
    told = vendor.told()
    judge(race, contestant, rows)
    return replace(
        run,
        bytes_up=told["bytes_up"],
        bytes_down=told["bytes_down"],
        vendor_cpu=told["cpu"],
        vendor_answering=told["answering"],
    )


def in_turns(
    race: Race, vendor: VendorProcess, question: Question, contestants: Sequence[str], repeats: int
) -> Iterator[tuple[Figure, Run]]:
    """After each run its figure so far; a busy minute of the machine meets all contestants alike."""
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name in contestants:
            run = cycle(race, vendor, name, question.rows)
            runs[name].append(run)
            yield Figure(question, name, tuple(runs[name])), run
