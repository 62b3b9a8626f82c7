"""A synchronous client, for the command line and the tests: submit, follow events, fetch, cancel.

Reconnects by itself when the backend restarts, and sends a job again that the backend has lost.
"""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType, UnionType
from typing import Self, TypeVar

import zmq
from zmq.utils.monitor import recv_monitor_message

from protocol.blobs import BlobReader, BlobWriter, digest
from protocol.errors import Problem, problem
from protocol.framing import Buffer, Packet, decode, encode
from protocol.jobs import JobSpec, checked_spec, new_job_id
from protocol.limits import DEFAULT_LIMITS
from protocol.messages import (
    TERMINAL,
    Accepted,
    Ack,
    Cancel,
    Chunk,
    Error,
    Event,
    Have,
    Hello,
    Jobs,
    List,
    Message,
    Need,
    Ping,
    Pong,
    Sub,
    Submit,
    Welcome,
)

from .connection import Connection
from .decoding import decode_header
from .keys import KeyPair, load_key_pair

PING = 2.0  # seconds without a word until a ping
RESEND = 3.0  # seconds without an answer until a message goes again
SILENCE = 6.0  # seconds without a word until a new connection is made

HANDSHAKE_FAILURES: dict[int, str] = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "key_unknown",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "wrong_server",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "not_encrypted",
}

Answer = TypeVar("Answer", bound=Message)


class ServerError(Exception):
    """The backend refused, or cannot be reached; `problem` says why."""

    def __init__(self, found: Problem) -> None:
        super().__init__(f"{found.message} {found.hint}".strip())
        self.problem = found


class Client:
    """One connection. Raises ServerError for whatever the backend refuses."""

    welcome: Welcome

    def __init__(
        self, connection: Connection, key: KeyPair, *, name: str = "omni123", timeout: float = 10.0
    ) -> None:
        self._connection = connection
        self._key = key
        self._name = name
        self._timeout = timeout
        self._session = uuid.uuid4().hex
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._jobs: dict[str, Submit] = {}  # what to send again if the backend loses it
        self._seen: dict[str, int] = {}  # job -> last seq
        self._pending: list[Packet] = []  # events that came while something else was awaited
        self._heard = self._pinged = 0.0
        self._open()
        try:
            self._ask(self._hello(), Welcome)
        except BaseException:
            self.close()
            raise

    @classmethod
    def connect(cls, connection_file: Path, key: Path | None = None, *, timeout: float = 10.0) -> Client:
        """`key`: a key file; without one, that of the backend's own folder on this machine."""
        key = key or connection_file.parent / "keys" / "local.key"
        return cls(Connection.read(connection_file), load_key_pair(key), timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._shut()
        self._context.term()

    def submit(self, spec: JobSpec, job: str | None = None, files: Sequence[bytes] = ()) -> Accepted:
        """`files`: what `spec.inputs` declares, put where the backend does not have them."""
        blobs = tuple(digest(data) for data in files)
        message = Submit(job=job or new_job_id(), spec=checked_spec(spec, len(files)), blobs=blobs)
        answer = self._ask_to_take(message)
        if isinstance(answer, Need):
            for data in files:
                if digest(data) in answer.blobs:
                    self.put(data)
            answer = self._ask_to_take(message)
        if isinstance(answer, Need):
            raise ServerError(problem("no_blob", "The backend did not keep the files it was sent."))
        self._jobs[message.job] = message
        return answer

    def _ask_to_take(self, message: Submit) -> Accepted | Need:
        return self._ask(message, Accepted | Need, lambda answer: answer.job == message.job)

    def events(self, job: str, after: int = 0, timeout: float | None = None) -> Iterator[Packet]:
        """Each event of the job above `after`, once, to its terminal one; `timeout` is between two events."""
        self._seen[job] = max(after, self._seen.get(job, 0))
        self._send(Sub(job=job, after=self._seen[job]))
        heard = time.monotonic()
        while True:
            packet = self._next_event(job)
            if packet is None:
                if timeout is not None and time.monotonic() - heard > timeout:
                    raise ServerError(
                        problem("no_backend", f"Nothing was heard of the job for {timeout:.0f} s.")
                    )
                continue
            heard = time.monotonic()
            yield packet
            if isinstance(packet.message, TERMINAL):
                return

    def cancel(self, job: str) -> None:
        """Its answer is the job's terminal event."""
        self._send(Cancel(job=job))

    def ack(self, job: str) -> None:
        self._jobs.pop(job, None)
        self._send(Ack(job=job))

    def jobs(self, since: float = 0.0) -> Jobs:
        return self._ask(List(since=since), Jobs)

    def ping(self) -> float:
        """Seconds there and back."""
        started = time.perf_counter()
        self._ask(Ping(t=started), Pong, lambda answer: answer.t == started)
        return time.perf_counter() - started

    def fetch(self, sha: str) -> bytes:
        """The whole file, its hash checked."""
        reader = BlobReader(sha, self.welcome.limits)
        deadline = time.monotonic() + self._timeout
        while not reader.complete:
            for fetch in reader.requests():
                self._send(fetch)
            packet = self._receive(RESEND)
            if packet is None or isinstance(packet.message, Welcome):
                reader.restart()
            elif isinstance(packet.message, Chunk):
                reader.feed(packet.message, packet.frames[0])
                deadline = time.monotonic() + self._timeout
            elif isinstance(packet.message, Error) and packet.message.sha == sha:
                raise ServerError(packet.message.error)
            self._expire(deadline)
        return reader.data()

    def put(self, data: bytes) -> str:
        """Sends an input file; its name."""
        writer = BlobWriter(data, self.welcome.limits)
        deadline = time.monotonic() + self._timeout
        while not writer.complete:
            for put, frame in writer.requests():
                self._send(put, [frame])
            packet = self._receive(RESEND)
            if packet is None:
                writer.restart()
            elif isinstance(packet.message, Have):
                writer.credit(packet.message)
                deadline = time.monotonic() + self._timeout
            elif isinstance(packet.message, Error) and packet.message.sha == writer.sha:
                raise ServerError(packet.message.error)
            self._expire(deadline)
        return writer.sha

    def _hello(self) -> Hello:
        return Hello(client=self._name, session=self._session, caps=("preview", "image_preview"))

    def _ask(
        self,
        message: Message,
        kind: type[Answer] | UnionType,
        fits: Callable[[Answer], bool] = lambda _: True,
    ) -> Answer:
        deadline = time.monotonic() + self._timeout
        self._send(message)
        sent = time.monotonic()
        while True:
            packet = self._receive(0.5)
            if packet is None:
                if time.monotonic() - sent > RESEND:
                    self._send(message)
                    sent = time.monotonic()
            elif isinstance(packet.message, kind) and fits(packet.message):
                return packet.message
            elif isinstance(packet.message, Event):
                self._pending.append(packet)
            elif isinstance(packet.message, Error) and packet.message.error.job in (
                None,
                getattr(message, "job", None),
            ):
                raise ServerError(packet.message.error)
            self._expire(deadline)

    def _next_event(self, job: str) -> Packet | None:
        """The next one of this job that was not seen; None after a while without one."""
        for index, packet in enumerate(self._pending):
            if self._is_news(packet.message, job):
                return self._pending.pop(index)
        received = self._receive(0.5)
        if received is None:
            return None
        message = received.message
        if self._is_news(message, job):
            return received
        if isinstance(message, Event) and message.job != job:
            self._pending.append(received)
        elif isinstance(message, Accepted) and message.job == job and not message.dup:
            self._seen[job] = 0  # the backend had lost it: its numbers start again
        elif isinstance(message, Error) and message.error.job == job:
            if message.error.code != "no_job" or job not in self._jobs:
                raise ServerError(message.error)
            self._send(self._jobs[job])
        return None

    def _is_news(self, message: Message, job: str) -> bool:
        if not isinstance(message, Event) or message.job != job or message.seq <= self._seen[job]:
            return False
        self._seen[job] = message.seq
        return True

    def _receive(self, timeout: float) -> Packet | None:
        """The next message; keeps the connection alive meanwhile. None after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (now := time.monotonic()) < deadline:
            if now - self._heard > SILENCE:
                self._shut()
                self._open()
                self._send(self._hello())
            elif now - max(self._heard, self._pinged) > PING:
                self._pinged = now
                self._send(Ping(t=now))
            ready = dict(self._poller.poll(math.ceil(1000 * min(deadline - now, PING))))
            if self._monitor in ready:
                self._check_handshake()
            if self._socket in ready:
                packet = decode(self._socket.recv_multipart(), header_decoder=decode_header)
                self._heard = time.monotonic()
                self._keep_up(packet.message)
                return packet
        return None

    def _keep_up(self, message: Message) -> None:
        """Notices a backend that does not know us, or has started anew."""
        if isinstance(message, Welcome):
            is_new = message.epoch != getattr(self, "welcome", message).epoch
            self.welcome = message
            if is_new:
                for job, seen in self._seen.items():
                    self._send(Sub(job=job, after=seen))
        elif (isinstance(message, Pong) and message.epoch != self.welcome.epoch) or (
            isinstance(message, Error) and message.error.code == "no_hello"
        ):
            self._send(self._hello())

    def _check_handshake(self) -> None:
        event = recv_monitor_message(self._monitor)["event"]
        raise ServerError(problem(HANDSHAKE_FAILURES[int(event)]))

    def _expire(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise ServerError(problem("no_backend"))

    def _send(self, message: Message, frames: Sequence[Buffer] = ()) -> None:
        """What does not fit a full queue is lost, as on the way: whoever waits for an answer asks again."""
        limits = self.welcome.limits if hasattr(self, "welcome") else DEFAULT_LIMITS
        with contextlib.suppress(zmq.Again):
            self._socket.send_multipart(encode(message, frames, limits), zmq.DONTWAIT)

    def _open(self) -> None:
        self._heard = self._pinged = time.monotonic()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.setsockopt(zmq.SNDHWM, 64)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2_000)
        self._socket.curve_serverkey = self._connection.server_key.encode()
        self._socket.curve_publickey = self._key.public.encode()
        self._socket.curve_secretkey = self._key.secret.encode()
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        )
        self._socket.connect(self._connection.url)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)

    def _shut(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close()
