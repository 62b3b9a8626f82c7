"""What each message of a client does: one method a type. Everything a peer can send ends in an answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from protocol.blobs import Assembly
from protocol.errors import Problem, ProtocolError, problem
from protocol.framing import Buffer, Packet, decode
from protocol.jobs import checked_spec
from protocol.limits import Limits
from protocol.messages import (
    Accepted,
    Ack,
    Cancel,
    Chunk,
    Error,
    Event,
    Fetch,
    Have,
    Hello,
    JobInfo,
    Jobs,
    List,
    ModelInfo,
    Need,
    Ping,
    Pong,
    Preview,
    Put,
    Sub,
    Submit,
    Welcome,
)
from protocol.version import MAJOR

from .access import AllowList
from .decoding import decode_header
from .dispatcher import Dispatcher, WorkerLink
from .front import Front, Peer
from .store import Job, JobStore

log = logging.getLogger(__name__)

PREVIEW_CAPS = {"mesh": "preview", "image": "image_preview"}  # what a preview is of -> who asks for it
CAPS = (*PREVIEW_CAPS.values(), "put")
JOBS_PER_LIST = 64  # with prompts cut to this, `jobs` stays below the header's limit
PROMPT_IN_LIST = 200  # characters


class Desk:
    """Owner of a job is the key of the connection that sent it, as the handshake proved it."""

    def __init__(
        self,
        *,
        epoch: str,
        front: Front,
        store: JobStore,
        worker: WorkerLink,
        allowed: AllowList,
        limits: Limits,
    ) -> None:
        self.dispatcher = Dispatcher(store, worker, limits, self._publish)
        self._epoch = epoch
        self._front = front
        self._store = store
        self._worker = worker
        self._allowed = allowed
        self._limits = limits
        self._model: ModelInfo = worker.model
        self._uploads: dict[tuple[str, str], Assembly] = {}  # (owner, sha)
        self._handlers: dict[type, Callable[[Peer, Any, Sequence[Buffer]], None]] = {
            Submit: self._submit,
            Put: self._put,
            Cancel: self._cancel,
            Sub: self._sub,
            List: self._list,
            Fetch: self._fetch,
            Ack: self._ack,
            Ping: self._ping,
        }

    def receive(self, route: bytes, key: str, parts: Sequence[Buffer]) -> None:
        """One message, whatever it is."""
        peer = self._front.peers.get(route)
        sha: str | None = None
        try:
            user = self._allowed.name_of(key)
            if user is None:
                raise ProtocolError("key_unknown")  # revoked since the handshake
            packet = decode(parts, self._limits, decode_header)
            if isinstance(packet.message, Hello):
                self._hello(route, key, user, packet.message)
                return
            if peer is None:
                raise ProtocolError("no_hello")
            peer.heard = time.monotonic()
            handler = self._handlers.get(type(packet.message))
            if handler is None:
                raise ProtocolError(
                    "unknown_type", "A client does not send this kind of message.", field="type"
                )
            if isinstance(packet.message, (Put, Fetch)):
                sha = packet.message.sha
            handler(peer, packet.message, packet.frames)
        except ProtocolError as error:
            self._refuse(route, error.problem(), sha)
        except Exception:  # our own fault: this message fails, the gateway goes on
            found = problem("internal")
            log.exception("[%s] a message could not be served", found.log_id)
            self._refuse(route, found, sha)

    def tick(self) -> None:
        """Tells everybody when the model's state has changed."""
        if self._worker.model is not self._model:
            self._model = self._worker.model
            log.info("model %s: %s", self._model.name or "", self._model.state)
            for peer in list(self._front.peers.values()):
                self._welcome(peer)

    def sweep(self, now: float) -> None:
        """Forgets silent peers, unfinished uploads of owners who are gone, and old jobs."""
        self._front.sweep(now)
        here = {peer.key for peer in self._front.peers.values()}
        self._uploads = {key: upload for key, upload in self._uploads.items() if key[0] in here}
        self._store.sweep()

    def _refuse(self, route: bytes, found: Problem, sha: str | None) -> None:
        log.info("[%s] refused: %s %s", found.log_id, found.code, found.field or "")
        speaks = (MAJOR,) if found.code == "version" else ()
        answer = Error(error=found, sha=sha, speaks=speaks)
        peer = self._front.peers.get(route)
        if peer is not None:
            self._front.send(peer, answer)
        else:
            self._front.answer_stranger(route, answer)

    def _hello(self, route: bytes, key: str, user: str, hello: Hello) -> None:
        for old in list(self._front.peers.values()):
            if (old.key, old.session) == (key, hello.session):
                self._front.forget(old)  # the connection that this one takes the place of
        previews = frozenset(of for of, cap in PREVIEW_CAPS.items() if cap in hello.caps)
        peer = Peer(route, key, user, hello.session, previews, time.monotonic())
        self._front.peers[route] = peer
        log.info("%s connected with %.60r", user, hello.client)
        self._welcome(peer)

    def _welcome(self, peer: Peer) -> None:
        model = self._worker.model
        message = Welcome(epoch=self._epoch, user=peer.user, caps=CAPS, limits=self._limits, model=model)
        self._front.send(peer, message)

    def _submit(self, peer: Peer, message: Submit, frames: Sequence[Buffer]) -> None:
        try:
            spec = checked_spec(message.spec, len(message.blobs), self._limits)
            missing = () if self._store.holds(peer.key, message.job) else self._missing(peer, message)
            if missing:
                self._front.send(peer, Need(job=message.job, blobs=missing))
                return
            job, dup = self.dispatcher.hold(peer.key, message, spec)
        except ProtocolError as error:
            error.job = message.job
            raise
        self._accept(peer, job, dup=dup)
        if dup:
            self._replay(peer, job, 0)
        else:
            self.dispatcher.announce(job)

    def _missing(self, peer: Peer, message: Submit) -> tuple[str, ...]:
        """The files of a new job that are not here yet. Raises ProtocolError for one that is too large."""
        missing = []
        for kind, sha in zip(message.spec.inputs, message.blobs, strict=True):
            data = self._store.file(peer.key, sha)
            if data is None:
                missing.append(sha)
            elif kind == "image" and len(data) > self._limits.image:
                raise ProtocolError(
                    "bad_image", f"An image has {len(data)} bytes of {self._limits.image} allowed."
                )
        return tuple(dict.fromkeys(missing))

    def _accept(self, peer: Peer, job: Job, *, dup: bool) -> None:
        peer.watches.add(job.id)
        position = self.dispatcher.position(job)
        self._front.send(peer, Accepted(job=job.id, dup=dup, state=job.state, position=position))

    def _sub(self, peer: Peer, message: Sub, frames: Sequence[Buffer]) -> None:
        job = self._store.get(peer.key, message.job)
        self._accept(peer, job, dup=True)
        self._replay(peer, job, message.after)

    def _replay(self, peer: Peer, job: Job, after: int) -> None:
        for event in job.events:
            if event.seq > after:
                self._front.send(peer, event)
        for packet in job.latest.values():
            self._send_event(peer, packet)

    def _cancel(self, peer: Peer, message: Cancel, frames: Sequence[Buffer]) -> None:
        job = self._store.get(peer.key, message.job)
        peer.watches.add(job.id)
        if job.over:
            self._front.send(peer, job.events[-1])
        else:
            self.dispatcher.cancel(job)

    def _list(self, peer: Peer, message: List, frames: Sequence[Buffer]) -> None:
        jobs = self._store.jobs(peer.key, message.since)
        lines = tuple(
            JobInfo(
                job=job.id,
                state=job.state,
                prompt=job.spec.prompt[:PROMPT_IN_LIST],
                created=job.created,
                seq=job.last_seq(),
            )
            for job in jobs[:JOBS_PER_LIST]
        )
        self._front.send(peer, Jobs(jobs=lines, more=len(jobs) > len(lines)))

    def _fetch(self, peer: Peer, message: Fetch, frames: Sequence[Buffer]) -> None:
        data = self._store.file(peer.key, message.sha)
        if data is None:
            raise ProtocolError("no_blob")
        if message.off >= len(data) > 0:
            raise ProtocolError("bad_header", "The file ends before this place.", field="off")
        end = message.off + min(message.n, self._limits.frame)
        chunk = Chunk(sha=message.sha, off=message.off, total=len(data))
        self._front.send(peer, chunk, [memoryview(data)[message.off : end]])

    def _put(self, peer: Peer, message: Put, frames: Sequence[Buffer]) -> None:
        key = (peer.key, message.sha)
        held = self._store.file(*key)
        if held is not None:
            self._front.send(peer, Have(sha=message.sha, off=len(held)))
            return
        held_bytes = sum(upload.size for upload in self._uploads.values())
        crowded = key not in self._uploads and len(self._uploads) >= self._limits.uploads
        if crowded or held_bytes > 2 * self._limits.blob:
            raise ProtocolError("quota", "Too many files are being sent at once.")
        upload = self._uploads.setdefault(key, Assembly(message.sha, self._limits))
        if message.off <= upload.size:  # beyond it: what came between was lost, `have` says from where
            try:
                upload.add(message.off, message.total, frames[0])
            except ProtocolError:
                del self._uploads[key]
                raise
        if upload.complete:
            del self._uploads[key]
            self._store.put_file(*key, upload.data())
        self._front.send(peer, Have(sha=message.sha, off=upload.size))

    def _ack(self, peer: Peer, message: Ack, frames: Sequence[Buffer]) -> None:
        self._store.ack(peer.key, message.job)

    def _ping(self, peer: Peer, message: Ping, frames: Sequence[Buffer]) -> None:
        self._front.send(peer, Pong(t=message.t, epoch=self._epoch, busy=self.dispatcher.busy))

    def _publish(self, job: Job, packet: Packet) -> None:
        for peer in self._front.watchers(job.id):
            self._send_event(peer, packet)

    def _send_event(self, peer: Peer, packet: Packet) -> None:
        event = packet.message
        assert isinstance(event, Event)
        if not isinstance(event, Preview) or event.of in peer.previews:
            self._front.send(peer, event, packet.frames)
