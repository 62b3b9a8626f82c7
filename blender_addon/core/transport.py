"""One encrypted DEALER socket that never blocks, and what its handshake failed with.

No Python thread: sends copy (pyzmq's no-copy send starts one), the monitor is read on the same thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Protocol

import zmq
from zmq.utils.monitor import recv_monitor_message

from ...protocol.framing import Buffer
from ...protocol.limits import MIB
from .endpoint import Endpoint
from .keys import KeyPair

HANDSHAKE_FAILURES: dict[int, str] = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "key_unknown",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "wrong_server",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "not_encrypted",
}


class Transport(Protocol):
    """What a connection needs of a socket."""

    def send(self, parts: Sequence[Buffer]) -> bool: ...

    def receive(self) -> list[bytes] | None: ...

    def refusal(self) -> str | None: ...

    def close(self) -> None: ...


class CurveSocket:
    """Connects at once and reconnects by itself; closing drops what was not sent."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: Endpoint, keys: KeyPair) -> None:
        self._socket = context.socket(zmq.DEALER)
        options: dict[int, int | bytes] = {
            zmq.LINGER: 0,
            zmq.SNDHWM: 64,
            # More than a backend sends until it forgets a Blender that is busy (30 s). At a full queue libzmq
            # stops reading; if it then reconnects it may abort the process (its issue 3937).
            zmq.RCVHWM: 10_000,
            zmq.MAXMSGSIZE: MIB,  # of one frame
            zmq.RECONNECT_IVL: 100,
            zmq.RECONNECT_IVL_MAX: 2_000,
            zmq.CURVE_SERVERKEY: endpoint.server_key.encode("ascii"),
            zmq.CURVE_PUBLICKEY: keys.public.encode("ascii"),
            zmq.CURVE_SECRETKEY: keys.secret.encode("ascii"),
            zmq.IPV6: int("[" in endpoint.url),
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)
        events = 0
        for event in HANDSHAKE_FAILURES:
            events |= event
        self._monitor = self._socket.get_monitor_socket(events)
        self._socket.connect(endpoint.url)

    def send(self, parts: Sequence[Buffer]) -> bool:
        """False when the queue is full: send again later."""
        try:
            self._socket.send_multipart(parts, zmq.DONTWAIT, copy=True)
        except zmq.Again:
            return False
        return True

    def receive(self) -> list[bytes] | None:
        """The frames of one message, or None when there is nothing."""
        try:
            return self._socket.recv_multipart(zmq.DONTWAIT, copy=True)
        except zmq.Again:
            return None

    def refusal(self) -> str | None:
        """The protocol's code for a failed handshake, once for each."""
        with contextlib.suppress(zmq.Again):
            return HANDSHAKE_FAILURES.get(recv_monitor_message(self._monitor, zmq.DONTWAIT)["event"])
        return None

    def close(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
