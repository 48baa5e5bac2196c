"""A batch that the vendor refused whole: again, without some rows, or a person."""

import pytest

from batchd.core.model import Kept, VendorFault
from batchd.core.refusals import Refusal, Remedy, faults_as_text, judge, read_faults

BAD_LINE = VendorFault("invalid_json_line", None, 3, "line 3 reads: secret")
LIMIT = VendorFault("token_limit_exceeded")
FILE = VendorFault("invalid_request", "file_id")
UNKNOWN = VendorFault("flux_inverted")


@pytest.mark.parametrize("faults", [[LIMIT], [FILE], [LIMIT, FILE]])
def test_what_passes_is_sent_again(faults: list[VendorFault]) -> None:
    """Full queues, and good files that the vendor does not find yet, are nobody's fault."""
    assert Refusal(Remedy.AGAIN, faults[0].code) == judge(faults, 5)


def test_lines_that_are_named_are_set_aside() -> None:
    """Each line keeps its own code; the first and the last line of the file count."""
    faults = [VendorFault("duplicate_custom_id", "custom_id", 1), VendorFault("invalid_json_line", None, 5)]

    expected = {1: "duplicate_custom_id", 5: "invalid_json_line"}
    assert Refusal(Remedy.ROWS, "duplicate_custom_id", expected) == judge(faults, 5)


def test_lines_are_set_aside_beside_a_fault_that_passes() -> None:
    """A full queue does not hide which lines are bad."""
    assert Refusal(Remedy.ROWS, "token_limit_exceeded", {3: "invalid_json_line"}) == judge([LIMIT, BAD_LINE], 5)


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [UNKNOWN],
        [BAD_LINE, UNKNOWN],
        [VendorFault("invalid_json_line", None, 0)],
        [VendorFault("invalid_json_line", None, 6)],
        [VendorFault("invalid_json_line", None, -1)],
        [VendorFault("model_not_found", "body.model", 1)],
        [BAD_LINE, VendorFault("mismatched_model", "body.model", 2)],
        [VendorFault("invalid_request", "body.model", 1)],
        [VendorFault("url_mismatch", None, 2)],
        [VendorFault("invalid_request", "body.messages")],
    ],
)
def test_what_no_single_row_explains_asks_a_person(faults: list[VendorFault]) -> None:
    """Unknown reasons, lines that the file does not have, and the task's own mistakes."""
    first = faults[0].code if faults else "unknown"

    assert Refusal(Remedy.PERSON, first) == judge(faults, 5)


def test_kept_faults_can_be_read_again() -> None:
    """Codes and lines come back; the vendor's texts, which quote rows, stay where they are kept."""
    kept = [Kept(0, "vendor_errors", faults_as_text(faults), part) for part, faults in enumerate([[LIMIT], [BAD_LINE]])]

    found = read_faults(kept)

    assert [VendorFault("invalid_json_line", None, 3)] == found
    assert "secret" in kept[1].body
    assert judge([BAD_LINE], 5) == judge(found, 5)


def test_nothing_kept_is_no_fault() -> None:
    """Then a person is asked."""
    assert read_faults([]) == []
    assert Remedy.PERSON is judge(read_faults([]), 5).remedy
