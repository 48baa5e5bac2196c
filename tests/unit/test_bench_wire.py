"""What ``scripts/bench`` hears on the wire to a database server, and what it answers as the instant vendor."""

import json
import socket
import threading
import time
from collections.abc import Sequence

import pytest

from tests.bench.ears import MariadbEar, PostgresqlEar
from tests.bench.vendor import answered, uploaded
from tests.bench.wire import Ear, Wire


def typed(kind: bytes, payload: bytes) -> bytes:
    return kind + (len(payload) + 4).to_bytes(4, "big") + payload


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


SSL = (8).to_bytes(4, "big") + (80_877_103).to_bytes(4, "big")
START = (17).to_bytes(4, "big") + (196_608).to_bytes(4, "big") + b"user\0a\0\0\0"
POSTGRESQL = [
    SSL, START, typed(b"p", b"secret\0"), typed(b"Q", b"BEGIN\0"), typed(b"P", b"EE\0\0\0"), typed(b"B", b"QQ"),
    typed(b"E", b"\0\0\0\0\0"), typed(b"E", b"\0\0\0\0\0"), typed(b"S", b""), typed(b"d", b"QE" * 300),
]  # fmt: skip
MARIADB = [
    packet(1, b"\x03 who I am"), packet(0, b"\x03SELECT 1"), packet(0, b"\x0e"), packet(0, b"\x17\x01"),
    packet(1, b"\x03 the rest"),
]  # fmt: skip


@pytest.mark.parametrize("step", [1, 3, 7, 100_000])
@pytest.mark.parametrize(("ear", "sent", "expected"), [(PostgresqlEar, POSTGRESQL, 3), (MariadbEar, MARIADB, 2)])
def test_statements_are_heard(ear: type[Ear], sent: Sequence[bytes], expected: int, step: int) -> None:
    """Queries and executions count, once each, wherever the network cuts them; data that looks like them does not."""
    whole, listener = b"".join(sent), ear()
    heard = sum(listener.heard(whole[at : at + step]) for at in range(0, len(whole), step))

    assert expected == heard


def test_a_long_wire_delays_and_does_not_narrow() -> None:
    """Many chunks under way at once take one round trip together; an answer that is waited for takes one each."""
    with socket.create_server(("127.0.0.1", 0)) as server, Wire(server.getsockname(), round_trip=0.1) as wire:
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        with socket.create_connection(("127.0.0.1", wire.port)) as client:
            begun = time.monotonic()
            for _ in range(50):
                client.sendall(b"x" * 1000)
                time.sleep(0.001)
            _read(client, 50_000)
            together = time.monotonic() - begun
            for _ in range(3):
                client.sendall(b"y")
                _read(client, 1)
            in_turns = time.monotonic() - begun - together

    assert 0.1 <= together < 1.0, "50 chunks on their way at once took their turns"
    assert in_turns >= 0.3
    assert wire.round_trips >= 4


def test_the_vendor_answers_each_line_with_its_own_name_and_row() -> None:
    """Whoever wrote the JSON, with or without blanks: the answer says which row was asked about."""
    asked = [
        json.dumps({"custom_id": name, "body": {"messages": [{"content": f"Candidate {number}\n\nText"}]}})
        for name, number in (("a-1", 7), ("b-2", 12))
    ]
    found, lines = answered("\n".join([asked[0], asked[1].replace('": ', '":'), ""]).encode())
    answers = [json.loads(line) for line in found.splitlines()]
    contents = [json.loads(one["response"]["body"]["choices"][0]["message"]["content"]) for one in answers]

    assert lines == 2
    assert ["a-1", "b-2"] == [one["custom_id"] for one in answers]
    assert ["Candidate 7", "Candidate 12"] == [one["full_name"] for one in contents]


def test_the_vendor_takes_the_file_out_of_a_form() -> None:
    """Byte for byte, whatever stands before and behind it."""
    form = (
        b'--x1\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--x1\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n{}\n\r\n{}\n\r\n--x1--\r\n'
    )

    assert uploaded(form, "multipart/form-data; boundary=x1") == b"{}\n\r\n{}\n"


def _echo(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        while sent := connection.recv(65_536):
            connection.sendall(sent)


def _read(connection: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(connection.recv(min(size, 65_536)))
