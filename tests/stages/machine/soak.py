"""``scripts/soak``: the machine for as long as told, from a seed that is printed."""

import argparse
import random
import sys
import time
import traceback

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stages.machine import rules
from tests.stages.machine.quiet import quiet_log

_EXAMPLES_A_ROUND = 10
_STEPS = 40


def main() -> int:
    """Rounds of examples until the time is over; 1 where a promise was broken, 0 else."""
    minutes, first = _asked()
    _say(f"{minutes:g} minutes from seed {first}")
    end, number = time.monotonic() + minutes * 60, first
    with quiet_log():
        while time.monotonic() < end:
            try:
                _round(number)
            except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
                traceback.print_exc()
                _say(f"BROKEN; the same again: scripts/soak --seed {number}; {_figures()}")
                return 1
            number += 1
            _say(f"seeds {first} to {number - 1}: {_figures()}")
    _say(f"every promise held; {_figures()}")
    return 0


def _asked() -> tuple[float, int]:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=10.0, help="how long, 10 if not told")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000_000))
    found = parser.parse_args()
    return found.minutes, found.seed


def _round(number: int) -> None:
    plan = settings(
        max_examples=_EXAMPLES_A_ROUND,
        stateful_step_count=_STEPS,
        database=None,
        deadline=None,
        # No explaining: shrinking a long story is slow enough.
        phases=(Phase.generate, Phase.shrink),
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(rules.Machine), settings=plan)


def _say(text: str) -> None:
    sys.stdout.write(f"soak: {text}\n")
    sys.stdout.flush()


def _figures() -> str:
    return f"{rules.EXAMPLES} examples, {rules.RULES_RUN} steps"


if __name__ == "__main__":
    sys.exit(main())
