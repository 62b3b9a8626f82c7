"""The connection's states, with a recorded socket and a clock of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest
from omni123_extension.blender_addon.core.connection import Connection, Greeted, State
from omni123_extension.blender_addon.core.endpoint import Endpoint
from omni123_extension.protocol.errors import problem
from omni123_extension.protocol.framing import encode
from omni123_extension.protocol.messages import Error, Jobs, Message, ModelInfo, Pong, Welcome

ENDPOINT = Endpoint("tcp://127.0.0.1:1", "k" * 40)


class RecordedSocket:
    """Keeps what was sent, gives what was put into `inbox`."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.inbox: list[Sequence[bytes]] = []
        self.failure: str | None = None
        self.closed = False

    def send(self, parts: Sequence[bytes]) -> bool:
        self.sent.append(json.loads(parts[1])["type"])
        return True

    def receive(self) -> Sequence[bytes] | None:
        return self.inbox.pop(0) if self.inbox else None

    def refusal(self) -> str | None:
        failure, self.failure = self.failure, None
        return failure

    def close(self) -> None:
        self.closed = True


class Line:
    """A connection and the sockets it has made."""

    def __init__(self) -> None:
        self.sockets: list[RecordedSocket] = []
        self.connection = Connection(self._connect, session="s", client="test", caps=())

    def _connect(self, endpoint: Endpoint) -> RecordedSocket:
        self.sockets.append(RecordedSocket())
        return self.sockets[-1]

    def answer(self, message: Message, now: float) -> list[object]:
        self.sockets[-1].inbox.append(encode(message))
        return self.poll(now)

    def poll(self, now: float) -> list[object]:
        return list(self.connection.poll(now, lambda: True))


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    line.connection.open(ENDPOINT, 0.0)
    yield line
    line.connection.close()


def welcome(epoch: str = "e1") -> Welcome:
    return Welcome(epoch=epoch, user="me", model=ModelInfo(state="ready", name="sphere"))


def test_hello_is_answered_by_welcome(line: Line) -> None:
    assert line.sockets[0].sent == ["hello"]
    assert line.connection.state is State.CONNECTING
    (greeted,) = line.answer(welcome(), 0.1)
    assert isinstance(greeted, Greeted)
    assert line.connection.state is State.READY


def test_a_welcome_about_the_model_is_no_new_greeting(line: Line) -> None:
    line.answer(welcome(), 0.1)
    assert line.answer(welcome(), 0.2) == []


def test_pings_when_nothing_else_was_sent(line: Line) -> None:
    line.answer(welcome(), 0.1)
    for now in (1.0, 2.1, 2.2, 4.2):
        line.poll(now)
    assert line.sockets[0].sent == ["hello", "ping", "ping"]


def test_another_epoch_means_hello_again(line: Line) -> None:
    line.answer(welcome("e1"), 0.1)
    line.answer(Pong(t=0.0, epoch="e2"), 1.0)
    assert line.sockets[0].sent == ["hello", "hello"]
    assert line.connection.state is State.RECONNECTING
    assert len(line.answer(welcome("e2"), 1.1)) == 1
    assert line.connection.state is State.READY


def test_a_forgotten_connection_says_hello_again(line: Line) -> None:
    line.answer(welcome(), 0.1)
    line.answer(Error(error=problem("no_hello")), 0.2)
    assert line.sockets[0].sent == ["hello", "hello"]


def test_silence_makes_a_new_socket(line: Line) -> None:
    line.answer(welcome(), 0.0)
    now = 0.0
    while len(line.sockets) == 1 and now < 20:
        now += 0.25
        line.poll(now)
    assert 6.0 < now < 7.0
    assert line.sockets[0].closed
    assert line.sockets[1].sent == ["hello"]
    assert line.connection.state is State.RECONNECTING


def test_our_own_pause_is_not_the_backends_silence(line: Line) -> None:
    line.answer(welcome(), 0.0)
    line.poll(60.0)  # Blender was rendering
    assert len(line.sockets) == 1
    assert line.connection.state is State.READY


def test_an_unknown_key_is_tried_again_with_a_new_socket(line: Line) -> None:
    line.sockets[0].failure = "key_unknown"
    line.poll(0.1)
    assert line.connection.state is State.REFUSED
    assert line.connection.problem.fix_operator == "omni123.copy_key"
    assert not line.connection.final
    line.poll(2.2)
    assert len(line.sockets) == 2
    line.answer(welcome(), 2.3)
    assert line.connection.state is State.READY
    assert line.connection.problem is None


@pytest.mark.parametrize("code", ["wrong_server", "not_encrypted"])
def test_a_wrong_server_is_final(line: Line, code: str) -> None:
    line.sockets[0].failure = code
    line.poll(0.1)
    line.poll(30.0)
    assert len(line.sockets) == 1
    assert line.connection.final
    assert line.connection.problem.code == code


def test_another_version_is_final(line: Line) -> None:
    line.sockets[0].inbox.append([b"O3\x07", b"{}"])
    line.poll(0.1)
    assert line.connection.final
    assert line.connection.problem.code == "version"


def test_rubbish_is_dropped_and_the_next_message_read(line: Line) -> None:
    line.answer(welcome(), 0.1)
    line.sockets[0].inbox += [[b""], [b"O3\x01", b"{"], [b"O3\x01", b'{"type":"nonsense"}']]
    (packet,) = line.answer(Jobs(jobs=()), 0.2)
    assert isinstance(packet.message, Jobs)
    assert line.connection.state is State.READY


def test_reading_stops_when_the_time_is_over(line: Line) -> None:
    line.answer(welcome(), 0.1)
    line.sockets[0].inbox += [encode(Jobs(jobs=()))] * 5
    left = iter([True, True, False])
    assert len(list(line.connection.poll(0.2, lambda: next(left)))) == 2
    assert len(line.sockets[0].inbox) == 3
