"""What comes of jobs, as it arrives: previews, finished pictures, the files of the result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

from ...protocol import messages as wire
from ...protocol.arrays import decode_mesh, decode_tokens
from ...protocol.errors import ProtocolError
from ...protocol.framing import Packet
from ...protocol.images import check_image, decode_pixels
from ...protocol.limits import Limits
from .downloads import Downloads
from .jobs import Drawing, Job
from .problems import Problem, from_error

log = logging.getLogger("omni123.arrivals")

LARGEST_PREVIEW = 1 << 16  # pixels of a picture in the panel


class Arrivals:
    """`save` is called with a job that is to be written down, `fail` where its result is lost."""

    def __init__(
        self,
        limits: Callable[[], Limits],
        save: Callable[[Job], None],
        fail: Callable[[Job, Problem, float], None],
    ) -> None:
        self._limits, self._save, self._fail = limits, save, fail
        self._downloads = Downloads(limits)

    def restart(self, now: float) -> None:
        """After a reconnect."""
        self._downloads.restart(now)

    def drop(self, job: Job) -> None:
        self._downloads.drop(job)

    def requests(self, now: float) -> Iterator[wire.Fetch]:
        """What may be asked for now; each counts as sent."""
        return self._downloads.requests(now)

    def refused(self, sha: str | None, problem: Problem, now: float) -> bool:
        """Whether somebody waits for this file, which cannot be had."""
        if not self._downloads.takers(sha):
            return False
        self._no_file(sha or "", problem, now)
        return True

    def preview(self, job: Job, event: wire.Preview, packet: Packet, now: float) -> None:
        what = "preview" if event.of == "mesh" else "image_preview"
        if packet.frames:
            self._take_preview(job, what, bytes(packet.frames[0]))
        elif event.file is not None:
            self._downloads.drop(job, what)  # the newest wins
            self._downloads.want(job, what, event.file, now)

    def _take_preview(self, job: Job, what: str, data: bytes) -> None:
        try:
            if what == "preview":
                job.preview = decode_mesh(data, self._limits())
            else:
                job.sharpening = decode_pixels(data, replace(self._limits(), image_pixels=LARGEST_PREVIEW))
        except ProtocolError as error:
            log.warning("a preview was dropped: %s", error)

    def part(self, job: Job, event: wire.Partial, now: float) -> None:
        """A finished picture is worth keeping whatever becomes of the rest."""
        if event.image is not None:
            self._announce(
                job, wire.Picture(image=event.image, view=event.view, segment=event.segment or 0), now
            )

    def _announce(self, job: Job, picture: wire.Picture, now: float) -> bool:
        """Fetches a picture that was not spoken of before; whether it is one."""
        if picture in job.pictures:
            return False
        job.pictures[picture] = False
        self._downloads.want(job, "picture", picture.image, now)
        return True

    def done(self, job: Job, event: wire.Done, now: float) -> None:
        job.done, job.state = event, "receiving"
        job.advance("receiving", 0, 1)
        self._save(job)
        for what, sha in (("mesh", event.mesh), ("tokens", event.tokens)):
            if sha is not None:
                job.awaited.add(sha)
                self._downloads.want(job, what, sha, now)
        for picture in event.pictures:
            if self._announce(job, picture, now) or (job, "picture") in self._downloads.takers(picture.image):
                job.awaited.add(picture.image)
        self._arrive(job)

    def _arrive(self, job: Job) -> None:
        if job.state == "receiving" and not job.awaited:
            job.state, job.fraction = "arrived", 1.0
            self._save(job)

    def chunk(self, chunk: wire.Chunk, packet: Packet, now: float) -> None:
        takers = self._downloads.takers(chunk.sha)
        try:
            fraction = self._downloads.feed(chunk, packet.frames[0], now)
        except ProtocolError as error:
            self._no_file(chunk.sha, from_error(error), now)
            return
        for job, what in takers:
            if what == "mesh" and fraction is not None:
                job.advance("receiving", int(100 * fraction), 100)
        if fraction == 1.0:
            data, takers = self._downloads.take(chunk.sha)
            for job, what in takers:
                self._take_file(job, what, chunk.sha, data, now)

    def _take_file(self, job: Job, what: str, sha: str, data: bytes, now: float) -> None:
        """What a hostile backend may send fails the job, or costs it a picture."""
        limits = self._limits()
        try:
            if what == "mesh":
                job.mesh = decode_mesh(data, limits)
            elif what == "tokens":
                decode_tokens(data, limits)
                job.tokens = data
            elif what == "picture":
                check_image(data, limits)
                self._take_picture(job, sha, data)
            else:
                self._take_preview(job, what, data)
        except ProtocolError as error:
            self._without(job, what, sha, from_error(error), now)
            return
        job.awaited.discard(sha)
        self._arrive(job)

    def _take_picture(self, job: Job, sha: str, data: bytes) -> None:
        """Views that look the same are one file."""
        for picture, is_here in job.pictures.items():
            if picture.image == sha and not is_here:
                job.pictures[picture] = True
                job.drawings.append(Drawing(picture, data))
        job.sharpening = None

    def _no_file(self, sha: str, problem: Problem, now: float) -> None:
        """It cannot be had, whoever waits for it."""
        for job, what in self._downloads.takers(sha):
            self._downloads.drop(job, what)
            self._without(job, what, sha, problem, now)

    def _without(self, job: Job, what: str, sha: str, problem: Problem, now: float) -> None:
        """A preview is not missed, a picture beside a mesh costs a warning; anything else fails the job."""
        beside = what == "picture" and (job.done is None or job.done.mesh is not None)
        if beside:
            job.warning = f"A picture is missing: {problem.sentence}"
            job.awaited.discard(sha)
            self._arrive(job)
        elif what in ("mesh", "tokens", "picture"):
            self._fail(job, problem, now)
