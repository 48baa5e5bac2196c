"""Statements on the wire: what PostgreSQL's and MariaDB's protocols say of them."""

from collections.abc import Callable

from tests.bench.wire import Deaf, Ear

_TYPED, _UNTYPED = 5, 8
_PROTOCOL_3 = 3
_QUERY, _EXECUTE = ord("Q"), ord("E")
_MYSQL_HEADER = 4
_COM_QUERY, _COM_EXECUTE = 0x03, 0x17


class PostgresqlEar:
    """Messages of the frontend: simple queries, and executions of prepared ones, one for each row of a pipeline."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        # The first messages (no TLS, please; who am I) have no type.
        self._typed = False

    def heard(self, sent: bytes) -> int:
        count, at = 0, 0
        while at < len(sent):
            if self._left:
                step = min(self._left, len(sent) - at)
                self._left -= step
            else:
                step = min((_TYPED if self._typed else _UNTYPED) - len(self._head), len(sent) - at)
                self._head += sent[at : at + step]
                count += self._begun()
            at += step
        return count

    def _begun(self) -> int:
        """1 where the head is whole, and that of a statement."""
        if len(self._head) < (_TYPED if self._typed else _UNTYPED):
            return 0
        head, self._head = self._head, b""
        if self._typed:
            self._left = int.from_bytes(head[1:], "big") - 4
            return int(head[0] in {_QUERY, _EXECUTE})
        self._left = int.from_bytes(head[:4], "big") - _UNTYPED
        self._typed = int.from_bytes(head[4:6], "big") == _PROTOCOL_3
        return 0


class MariadbEar:
    """Packets of the client: those numbered 0 begin a command, and their first byte says which."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._is_first = False

    def heard(self, sent: bytes) -> int:
        count, at = 0, 0
        while at < len(sent):
            if self._left:
                count += int(self._is_first and sent[at] in {_COM_QUERY, _COM_EXECUTE})
                self._is_first = False
                step = min(self._left, len(sent) - at)
                self._left -= step
            else:
                step = min(_MYSQL_HEADER - len(self._head), len(sent) - at)
                self._head += sent[at : at + step]
                if len(self._head) == _MYSQL_HEADER:
                    self._left, self._is_first = int.from_bytes(self._head[:3], "little"), self._head[3] == 0
                    self._head = b""
            at += step
        return count


def ear_of(kind: str) -> Callable[[], Ear]:
    """The ear for a kind of database."""
    ears: dict[str, Callable[[], Ear]] = {"postgresql": PostgresqlEar, "mariadb": MariadbEar}
    return ears.get(kind, Deaf)
