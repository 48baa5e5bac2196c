"""The floor: the least that work with these promises can cost. Raw drivers, orjson, each database's best bulk method.

It writes the same rows of the same ledger as batchd, in commits of the same size, and fsyncs the same files. It looks
at nothing twice, judges nothing, and can go on after nothing. Run as ``python -m tests.bench.floor JOB``, with the JOB
of ``baseline.py``.
"""

import importlib
import json
import sys
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from openai import OpenAI

from tests.bench.baseline import body
from tests.bench.floor_files import kept
from tests.bench.floor_rows import CHUNK, Answer, FloorLedger, Sent

_MARK = "\x00"


class _Requests:
    """Lines of one batch's file, made page by page; remembers the keys in the order of the lines."""

    def __init__(self, ledger: FloorLedger, uid: str, after: int, size: int) -> None:
        self._ledger, self._uid, self._size = ledger, uid, size
        self.keys: list[int] = []
        self._last = after
        # What is the same in every line is written once.
        dumped = orjson.dumps(
            body(0, "") | {"messages": [body(0, "")["messages"][0], {"role": "user", "content": _MARK}]}
        )
        self._front, self._back = dumped.split(orjson.dumps(_MARK))

    def __iter__(self) -> Iterator[bytes]:
        head = b'-%d","method":"POST","url":"/v1/chat/completions","body":' + self._front.replace(b"%", b"%%")
        start, end = b'{"custom_id":"' + self._uid.encode(), self._back + b"}\n"
        while len(self.keys) < self._size:
            page = self._ledger.page(self._last, min(CHUNK, self._size - len(self.keys)))
            for seq, (key, resume) in enumerate(page, len(self.keys) + 1):
                yield start + head % seq + orjson.dumps(f"Candidate {key}\n\n{resume}") + end
            self.keys += [key for key, _ in page]
            if not page:
                return
            self._last = page[-1][0]


def main() -> None:
    """Batches of ``batch_size`` rows, one after the other, each from claim to close."""
    job = json.loads(sys.argv[1])
    ledger: FloorLedger = importlib.import_module(f"tests.bench.floor_{job['database']}").Ledger(job["connect"])
    client = OpenAI(base_url=job["vendor"], api_key="bench", max_retries=0)
    last = 0
    while last := _one_batch(ledger, client, job, last):
        pass
    ledger.close()


def _one_batch(ledger: FloorLedger, client: OpenAI, job: dict[str, Any], after: int) -> int:
    """Returns the key of its last row; 0 where nothing was pending."""
    uid, folder = uuid.uuid4().hex, Path(job["folder"])
    requests = _Requests(ledger, uid, after, job["batch_size"])
    path = folder / f"{uid}.input.jsonl"
    size, sha256 = kept(path, requests)
    keys = requests.keys
    if not keys:
        return 0
    batch_id = ledger.record(Sent(uid, len(keys), size, sha256), keys)
    output = _send(ledger, client, batch_id, path)
    _apply(ledger, client, (batch_id, output), folder / f"{uid}.output.jsonl", keys)
    return keys[-1]


def _send(ledger: FloorLedger, client: OpenAI, batch_id: int, path: Path) -> str:
    """Uploads and creates; returns the id of the output file."""
    with path.open("rb") as file:
        uploaded = client.files.create(file=file, purpose="batch")
    ledger.move(batch_id, "built", "submitting", {"vendor_file_id": uploaded.id, "attempt": 1})
    batch = client.batches.create(input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h")
    ledger.move(batch_id, "submitting", "submitted", {"vendor_batch_id": batch.id, "vendor_status": batch.status})
    batch = client.batches.retrieve(batch.id)
    counts = batch.request_counts
    told = {"counted_total": counts.total, "counted_completed": counts.completed} if counts else {}
    ledger.move(batch_id, "submitted", "ended", {"output_file_id": batch.output_file_id, **told})
    return batch.output_file_id or ""


def _apply(ledger: FloorLedger, client: OpenAI, batch: tuple[int, str], path: Path, keys: list[int]) -> None:
    batch_id, output = batch
    with client.files.with_streaming_response.content(output) as response:
        size, sha256 = kept(path, response.iter_bytes())
    ledger.move(batch_id, "ended", "collected", {"output_bytes": size, "output_sha256": sha256})
    with path.open("rb") as lines:
        while answers := [_answer(line) for line in islice(lines, CHUNK)]:
            ledger.apply(batch_id, answers, keys[answers[0].seq - 1 : answers[-1].seq])
    ledger.move(batch_id, "collected", "closed", {"applied": len(keys)})


def _answer(line: bytes) -> Answer:
    result = orjson.loads(line)
    reply = result["response"]["body"]
    found, usage = orjson.loads(reply["choices"][0]["message"]["content"]), reply["usage"]
    return Answer(
        int(result["custom_id"].rpartition("-")[2]),
        found["full_name"],
        found["years_experience"],
        orjson.dumps(found["skills"]).decode(),
        found["level"],
        found["summary"],
        usage["prompt_tokens"],
        usage["prompt_tokens_details"]["cached_tokens"],
        usage["completion_tokens"],
        usage["completion_tokens_details"]["reasoning_tokens"],
    )


if __name__ == "__main__":
    main()
