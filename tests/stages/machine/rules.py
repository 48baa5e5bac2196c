"""The state machine: hypothesis chooses what happens next, the judge looks after every step."""

from collections.abc import Callable, Sequence
from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.stages.machine import draws
from tests.stages.machine.drain import drain
from tests.stages.machine.mishaps import Act, Mishap
from tests.stages.machine.promises import Judge
from tests.stages.machine.world import LANE, World

_SECONDS = st.sampled_from((61.0, 700.0, 4000.0))
# Rules run in all examples of this process, for the soak's report.
RULES_RUN = 0
EXAMPLES = 0


class Machine(RuleBasedStateMachine):
    """One example: a world, and a judge of it."""

    @initialize(
        rows=st.integers(1, 6),
        guard_column=st.sampled_from((None, None, "version")),
        resubmit=st.sampled_from(("hold", "fence")),
        listing_lag=st.sampled_from((0, 0, 120, 5000)),
        tells_sizes=st.booleans(),
    )
    def begin(
        self,
        *,
        rows: int,
        guard_column: str | None,
        resubmit: Literal["hold", "fence"],
        listing_lag: int,
        tells_sizes: bool,
    ) -> None:
        """A table with some rows, and nothing done yet."""
        self.world = World(
            guard_column=guard_column, resubmit=resubmit, listing_lag=listing_lag, tells_sizes=tells_sizes
        )
        self.judge = Judge(self.world)
        self.world.say(f"a world with {guard_column=} {resubmit=} {listing_lag=} {tells_sizes=}")
        for row in range(1, rows + 1):
            self._do(Act("insert", (row,)))

    @rule(row=draws.ROWS, mishaps=draws.MISHAPS, known_dead=st.booleans())
    def a_row_is_sent(self, row: int, mishaps: tuple[Mishap, ...], known_dead: bool) -> None:  # noqa: FBT001
        """There is something to send, so that there is something to get into trouble with."""
        for act in (Act("insert", (row,)), Act("reset", (row,)), Act("want", (row,))):
            self._do(act)
        self._work(LANE, mishaps, known_dead)

    @rule(change=st.none() | draws.WHILE_OPEN, end=draws.ENDS, seconds=_SECONDS, mishaps=draws.MISHAPS)
    def a_batch_comes_back(self, change: Act | None, end: Act, seconds: float, mishaps: tuple[Mishap, ...]) -> None:
        """The same for what is looked at, collected and applied."""
        for act in (change, end, Act("wait", (seconds,))):
            if act is not None:
                self._do(act)
        self._work(LANE, mishaps, known_dead=True)

    @rule(
        row=draws.ROWS,
        sending=draws.MISHAPS,
        change=st.none() | draws.WHILE_OPEN,
        end=draws.ENDS,
        ending=draws.MISHAPS,
        seconds=_SECONDS,
    )
    def a_row_goes_its_way(
        self,
        *,
        row: int,
        sending: tuple[Mishap, ...],
        change: Act | None,
        end: Act,
        ending: tuple[Mishap, ...],
        seconds: float,
    ) -> None:
        """From the table to the vendor and back, with whatever happens on the way."""
        self.a_row_is_sent(row, sending, known_dead=False)
        self.a_batch_comes_back(change, end, seconds, ending)

    @rule(slot=st.sampled_from(("A", "B")), stages=draws.STAGES, seconds=_SECONDS)
    def somebody_works(self, slot: str, stages: Sequence[str], seconds: float) -> None:
        self._do(Act("wait", (seconds,)))
        self._do(Act("work", (slot, stages)))

    @rule(stages=draws.STAGES, mishaps=draws.MISHAPS, known_dead=st.booleans())
    def somebody_works_in_trouble(self, stages: Sequence[str], mishaps: tuple[Mishap, ...], known_dead: bool) -> None:  # noqa: FBT001
        self._work(stages, mishaps, known_dead)

    @rule(act=draws.COMMANDS, seconds=_SECONDS)
    def somebody_commands(self, act: Act, seconds: float) -> None:
        """And what was commanded is done."""
        self._do(act)
        self._do(Act("wait", (seconds,)))
        self._do(Act("work", ("B", LANE)))

    @rule(act=st.one_of(draws.AT_ROWS, draws.AT_ROWS_IN_WORK, draws.AT_THE_VENDOR, draws.TIME, draws.ELSEWHERE))
    def something_happens(self, act: Act) -> None:
        self._do(act)

    def teardown(self) -> None:
        """Everything must come to rest, unless a promise is broken already."""
        global RULES_RUN, EXAMPLES  # noqa: PLW0603 - figures for the soak's report
        if not hasattr(self, "world"):
            return
        EXAMPLES += 1
        RULES_RUN += self.world.rules_run
        try:
            if not self.world.broken:
                drain(self.world, self.judge)
        finally:
            self.world.close()

    def _work(self, stages: Sequence[str], mishaps: tuple[Mishap, ...], known_dead: bool) -> None:  # noqa: FBT001
        self.world.say(f"work('A', {stages!r}) with {'; '.join(map(str, mishaps))}, {known_dead=}")
        self._judged(lambda: self.world.work("A", stages, mishaps, known_dead=known_dead))

    def _do(self, act: Act) -> None:
        self._judged(lambda: self.world.do(act))

    def _judged(self, step: Callable[[], object]) -> None:
        self.world.rules_run += 1
        broken, self.world.broken = self.world.broken, True
        step()
        self.judge.check()
        self.world.broken = broken
