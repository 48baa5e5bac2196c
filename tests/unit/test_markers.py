"""What ``on_success`` writes, held against its column before anything is paid for."""

import pytest

from batchd.core.markers import check_marker
from batchd.core.schema import ColumnInfo
from batchd.core.tasks import Marker
from batchd.errors import ConfigError

NOW, BATCH, MODEL = (Marker(source=source) for source in ("now", "batch", "model"))


@pytest.mark.parametrize(
    ("marker", "info"),
    [
        (NOW, ColumnInfo("time")), (NOW, ColumnInfo("date")), (NOW, ColumnInfo("clock")), (NOW, ColumnInfo("text")),
        (NOW, ColumnInfo("any")), (NOW, ColumnInfo("number")), (BATCH, ColumnInfo("text", 32)),
        (MODEL, ColumnInfo("text", 5)), (Marker(constant="done"), ColumnInfo("text", 4)),
        (Marker(constant="1"), ColumnInfo("integer")), (Marker(constant=1), ColumnInfo("integer")),
        (Marker(constant=True), ColumnInfo("boolean")), (Marker(constant="yes"), ColumnInfo("any")),
    ],
)  # fmt: skip
def test_what_fits_is_fit(marker: Marker, info: ColumnInfo) -> None:
    """A time, an id or a constant, in a column that takes it."""
    check_marker("done", marker, info)


@pytest.mark.parametrize(
    ("marker", "info", "said"),
    [
        (NOW, ColumnInfo("integer"), "column done holds integer values and cannot take the time"),
        (NOW, ColumnInfo("boolean"), "column done holds boolean values and cannot take the time"),
        (BATCH, ColumnInfo("guid"), "column done holds guid values and cannot take the id of a batch"),
        (BATCH, ColumnInfo("text", 20), "column done takes up to 20, but the id of a batch is 32 long"),
        (MODEL, ColumnInfo("binary"), "column done holds binary values and cannot take the name of a model"),
        (Marker(constant="done"), ColumnInfo("integer"), "column done holds integer values and cannot take this text"),
        (Marker(constant="done"), ColumnInfo("text", 3), "column done takes up to 3, but this text is 4 long"),
    ],
)
def test_what_no_row_would_take_is_refused(marker: Marker, info: ColumnInfo, said: str) -> None:
    """Each row would be paid for and refused."""
    with pytest.raises(ConfigError) as error:
        check_marker("done", marker, info)

    assert said == error.value.message
