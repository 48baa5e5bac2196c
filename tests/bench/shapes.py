"""What the rows hold: made-up texts of one kilobyte, the same with long answers to come, or real résumés."""

import csv
import gzip
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

KILOBYTE, LONG_ANSWERS, RESUMES = "1 KB", "1 KB with answers of 5 KB", "résumés"
SHAPES = (KILOBYTE, LONG_ANSWERS, RESUMES)
# What moves the vendor to a long answer.
AT_LENGTH = "Tell it at length."
RESUME_FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "resumes.csv.gz"
_LENGTH = 1_000
_SENTENCES = (
    "Ran the second shift of a bottling line and trained eleven operators on its changeover. ",
    "Rebuilt hydraulic presses, wrote their maintenance plans and kept spare parts within budget. ",
    "Answered for safety in a plant of 140 people; no lost day in the last three years. ",
    "Moved stock records from paper to a database and taught the warehouse to trust them. ",
    "Estimated, bought and fitted pipework for dairies, in steel and in plastics. ",
    "Zeugnisse über Schweißen und Prüfen liegen vor; “certified” since 2009. ",
)


def why_not(shape: str) -> str:
    """Why there can't be rows of a shape here, "" where there can."""
    return f"there is no {RESUME_FILE}" if shape == RESUMES and not RESUME_FILE.is_file() else ""


def texts(shape: str, rows: int) -> Iterator[str]:
    """So many texts; the same ones each time."""
    first = f"{AT_LENGTH} " if shape == LONG_ANSWERS else ""
    source = _resumes() if shape == RESUMES else (_kilobyte(number, first) for number in itertools.count(1))
    return itertools.islice(source, rows)


def _kilobyte(number: int, first: str) -> str:
    """1,000 characters that compress and repeat no more than a text does."""
    order = itertools.islice(itertools.cycle(_SENTENCES), number % len(_SENTENCES), None)
    text = f"{first}Reference {number * 7_919 % 1_000_003}. "
    while len(text) < _LENGTH:
        text += next(order)
    return text[:_LENGTH]


def _resumes() -> Iterator[str]:
    csv.field_size_limit(sys.maxsize)
    with gzip.open(RESUME_FILE, "rt", encoding="utf-8", newline="") as file:
        found = [row["resume"] for row in csv.DictReader(file)]
    return itertools.cycle(found)
