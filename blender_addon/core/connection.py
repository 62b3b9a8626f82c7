"""The connection as a state machine: hello and welcome, epoch, pings, silence, refusals, new sockets.

No clock of its own: every call is given `now` in monotonic seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from enum import Enum

from ...protocol.errors import ProtocolError
from ...protocol.framing import Buffer, Packet, decode, encode
from ...protocol.limits import DEFAULT_LIMITS, Limits
from ...protocol.messages import Error, Hello, Message, Ping, Pong, Welcome
from .endpoint import Endpoint
from .problems import Problem, from_code, from_wire
from .transport import Transport

log = logging.getLogger("omni123.connection")

PING = 2.0  # seconds without sending until a ping
SILENCE = 6.0  # seconds without a word until a new socket is made
STALL = 3.0  # seconds between two polls after which silence is our own fault
BACKOFF = (0.1, 2.0)  # seconds before the next socket: first, at most
KEY_RETRY = 2.0  # an unknown key may be added at any time, and libzmq does not try again
GREET_AGAIN = 1.0


class State(Enum):
    OFF = "off"
    CONNECTING = "connecting"  # hello sent, no welcome yet
    READY = "ready"
    RECONNECTING = "reconnecting"  # was ready, is trying to be so again
    REFUSED = "refused"  # `problem` says why


class Greeted:
    """The backend has welcomed this connection: say again what it may not know."""


class Connection:
    def __init__(
        self, connect: Callable[[Endpoint], Transport], *, session: str, client: str, caps: tuple[str, ...]
    ) -> None:
        self._connect = connect
        self._hello = Hello(client=client, session=session, caps=caps)
        self._socket: Transport | None = None
        self._greeting = False
        self._heard = self._sent = self._polled = self._greeted_at = 0.0
        self._retry_at: float | None = None
        self._tries = 0
        self.endpoint: Endpoint | None = None
        self.state = State.OFF
        self.problem: Problem | None = None
        self.welcome: Welcome | None = None
        self.silent_since: float | None = None  # when it was first not answered

    @property
    def final(self) -> bool:
        """Refused for good: nothing will change by waiting."""
        return self.state is State.REFUSED and self._socket is None and self._retry_at is None

    @property
    def limits(self) -> Limits:
        return self.welcome.limits if self.welcome else DEFAULT_LIMITS

    def open(self, endpoint: Endpoint, now: float) -> None:
        """Also to another endpoint than before, when the backend has moved."""
        self.close()
        self.endpoint = endpoint
        self._renew(now)

    def close(self) -> None:
        self._drop_socket()
        self.endpoint = self._retry_at = self.silent_since = None
        self.welcome = self.problem = None
        self.state, self._tries = State.OFF, 0

    def send(self, message: Message, now: float, frames: Sequence[Buffer] = ()) -> bool:
        """False when it could not go now: the caller's timers send it again."""
        if self._socket is None or not self._socket.send(encode(message, frames, self.limits)):
            return False
        self._sent = now
        return True

    def poll(self, now: float, time_left: Callable[[], bool]) -> Iterator[Packet | Greeted]:
        """What arrived, while there is time left; then pings, silence and new sockets."""
        if now - self._polled > STALL:
            self._heard = max(self._heard, now)  # it was us who did not listen
        self._polled = now
        if self._socket is None:
            if self._retry_at is not None and now >= self._retry_at:
                self._renew(now)
            return
        drained = False
        while time_left():
            parts = self._socket.receive()
            if parts is None:
                drained = True
                break
            yield from self._take(parts, now)
            if self._socket is None:  # refused, or closed by whoever took the message
                return
        self._notice_refusal(now)
        if drained:
            self._keep_alive(now)

    def _take(self, parts: Sequence[Buffer], now: float) -> Iterator[Packet | Greeted]:
        try:
            packet = decode(parts, self.limits)
        except ProtocolError as error:
            log.warning("a message was dropped: %s", error)
            if error.code == "version":
                self._refuse(from_code("version"), None)
            return
        self._heard, self.silent_since = now, None
        message = packet.message
        if isinstance(message, Welcome):
            yield from self._welcomed(message)
        elif isinstance(message, Pong):
            if self.welcome is not None and message.epoch != self.welcome.epoch:
                self._greet(now)
        elif isinstance(message, Error) and message.error.code == "version":
            self._refuse(from_wire(message.error), None)
        elif isinstance(message, Error) and message.error.code == "no_hello":
            self._greet(now)
        elif isinstance(message, Error) and message.error.code == "key_unknown":
            self._refuse(from_wire(message.error), now + KEY_RETRY)
        else:
            yield packet

    def _welcomed(self, message: Welcome) -> Iterator[Greeted]:
        news = self._greeting or self.welcome is None or self.welcome.epoch != message.epoch
        self.welcome, self.state, self.problem = message, State.READY, None
        self._greeting, self._tries = False, 0
        if news:
            yield Greeted()

    def _notice_refusal(self, now: float) -> None:
        code = self._socket.refusal() if self._socket else None
        if code is not None:
            self._refuse(from_code(code), now + KEY_RETRY if code == "key_unknown" else None)

    def _keep_alive(self, now: float) -> None:
        if now - self._heard > SILENCE:
            self.silent_since = self.silent_since or self._heard
            log.info("nothing heard for %.0f s: connecting again", now - self._heard)
            self._drop_socket()
            self._retry_at = now + min(BACKOFF[1], BACKOFF[0] * 2**self._tries)
            self._tries = min(self._tries + 1, 8)
            self.state = State.RECONNECTING if self.welcome else State.CONNECTING
        elif now - self._sent > PING:
            self.send(Ping(t=now), now)
            self._sent = now  # also when it could not go: once per interval

    def _greet(self, now: float) -> None:
        if not self._greeting or now - self._greeted_at > GREET_AGAIN:
            self._greeting = self.send(self._hello, now)
            self._greeted_at = now
            self.state = State.RECONNECTING if self.welcome else State.CONNECTING

    def _renew(self, now: float) -> None:
        assert self.endpoint is not None, "a connection needs an endpoint"
        self._drop_socket()
        self._socket = self._connect(self.endpoint)
        self._retry_at, self._heard, self._polled = None, now, now
        self._greet(now)
        if self.problem is not None:
            self.state = State.REFUSED  # until it is welcomed

    def _refuse(self, problem: Problem, retry_at: float | None) -> None:
        self._drop_socket()
        self._retry_at, self.problem, self.state = retry_at, problem, State.REFUSED

    def _drop_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._greeting = None, False
