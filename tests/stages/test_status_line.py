"""The line that ``systemctl status`` shows of the service."""

from batchd.app.status_line import status_line
from batchd.pipeline import SENDING
from tests.stages.bench import Bench


def test_the_line_tells_open_batches_pending_rows_and_what_the_day_cost(bench: Bench) -> None:
    """Prices of this bench are a billionth a token: a ledger that was charged more shows it."""
    bench.configure(batch_size=2, max_open_batches=2)
    bench.add_people(*(f"person {number}" for number in range(1_506)))
    first = status_line(bench.database)
    bench.run(*SENDING)
    sent = status_line(bench.database)
    bench.check_until("closed", "closed")
    bench.execute("UPDATE batchd_batch SET cost_nano_usd = 2050000000")
    bench.execute("UPDATE batchd_batch SET closed_at = '2020-01-01 00:00:00.000' WHERE id = 1")

    assert "0 in flight, 0 pending, $0.00 today" == first
    assert "2 in flight, 1 502 pending, $0.00 today" == sent
    assert "0 in flight, 1 502 pending, $2.05 today" == status_line(bench.database)
