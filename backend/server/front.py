"""The gateway's door: one ROUTER over TCP + CURVE, the peers behind it, and what waits to be sent to them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import zmq

from protocol.framing import Buffer, encode
from protocol.limits import MIB, Limits
from protocol.messages import LATEST_WINS, Message

from .access import AllowList, ZapHandler, endpoint
from .config import ServerConfig
from .keys import KeyPair

log = logging.getLogger(__name__)

DOMAIN = "clients"
OUTBOX = 256  # messages kept for a peer that does not read; then it is forgotten and must say hello again
SILENCE = 30.0  # seconds without a word until a peer is forgotten


@dataclass(eq=False)
class Peer:
    """One connection that has said hello."""

    route: bytes
    key: str  # Z85, from the handshake
    user: str
    session: str
    previews: frozenset[str]  # of what: "mesh", "image"
    heard: float  # monotonic seconds
    outbox: deque[list[Buffer]] = field(default_factory=deque)
    watches: set[str] = field(default_factory=set)  # jobs whose events it wants


class Front:
    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        zap: ZapHandler,
        config: ServerConfig,
        keys: KeyPair,
        allowed: AllowList,
    ) -> None:
        self.peers: dict[bytes, Peer] = {}
        self._limits: Limits = config.limits
        zap.domains[DOMAIN] = lambda public: allowed.name_of(public) is not None
        self.socket = context.socket(zmq.ROUTER)
        options: dict[int, int | bytes] = {
            zmq.LINGER: 0,
            zmq.ROUTER_MANDATORY: 1,  # a peer that is gone or does not read is an error, not silence
            zmq.MAXMSGSIZE: MIB,  # of one frame
            zmq.SNDHWM: 64,
            zmq.RCVHWM: 64,
            zmq.HANDSHAKE_IVL: 5_000,
            zmq.HEARTBEAT_IVL: 2_000,
            zmq.HEARTBEAT_TIMEOUT: 6_000,
            zmq.HEARTBEAT_TTL: 8_000,
            zmq.CURVE_SERVER: 1,
            zmq.CURVE_SECRETKEY: keys.secret.encode(),
            zmq.ZAP_DOMAIN: DOMAIN.encode(),
            zmq.ZAP_ENFORCE_DOMAIN: 1,  # without a ZAP handler nobody gets in, rather than everybody
        }
        for option, value in options.items():
            self.socket.setsockopt(option, value)
        host, port = config.address()
        self.socket.ipv6 = ":" in host
        shown = f"[{host}]" if ":" in host else host
        self.socket.bind(f"tcp://{shown}:{port or '*'}")
        self.port = int(endpoint(self.socket).rpartition(":")[2])

    def receive(self) -> tuple[bytes, str, list[Buffer]]:
        """(route, public key, frames after the route) of one message that is there to be read."""
        route, *frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
        key = frames[-1].get("User-Id") if frames else route.get("User-Id")
        return route.bytes, str(key), [frame.buffer for frame in frames]

    def send(self, peer: Peer, message: Message, frames: Sequence[Buffer] = ()) -> None:
        """Never waits. What a peer does not read is kept a while; progress and previews are dropped."""
        parts = encode(message, frames, self._limits)
        if not peer.outbox and self._try(peer.route, parts):
            return
        if isinstance(message, LATEST_WINS):
            return
        peer.outbox.append(parts)
        if len(peer.outbox) > OUTBOX:
            log.warning("a connection of %s does not read: forgotten", peer.user)
            self.forget(peer)

    def answer_stranger(self, route: bytes, message: Message) -> None:
        """To a connection that has not said hello; lost when it does not read."""
        self._try(route, encode(message, (), self._limits))

    def flush(self) -> bool:
        """Sends what waits; True when some still does."""
        waits = False
        for peer in list(self.peers.values()):
            while peer.outbox and self._try(peer.route, peer.outbox[0]):
                if peer.outbox:
                    peer.outbox.popleft()
            waits = waits or bool(peer.outbox)
        return waits

    def forget(self, peer: Peer) -> None:
        peer.outbox.clear()
        self.peers.pop(peer.route, None)

    def sweep(self, now: float) -> None:
        for peer in list(self.peers.values()):
            if now - peer.heard > SILENCE:
                self.forget(peer)

    def watchers(self, job: str) -> Iterator[Peer]:
        return (peer for peer in list(self.peers.values()) if job in peer.watches)

    def close(self) -> None:
        self.socket.close()

    def _try(self, route: bytes, parts: Sequence[Buffer]) -> bool:
        """False: try again later. A peer that is gone is forgotten."""
        try:
            self.socket.send_multipart([route, *parts], zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            peer = self.peers.get(route)
            if peer is not None:
                self.forget(peer)
        return True
