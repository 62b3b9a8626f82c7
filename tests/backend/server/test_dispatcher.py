"""The life of a job, against a worker that says exactly what the test wants."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from backend.server import dispatcher, link
from backend.server.dispatcher import Dispatcher
from backend.server.store import Job, MemoryJobStore
from protocol.blobs import digest
from protocol.errors import ProtocolError, problem
from protocol.framing import Packet
from protocol.jobs import JobSpec, new_job_id
from protocol.limits import Limits
from protocol.messages import Done, Event, ModelInfo, Partial, Picture, Preview, Submit

SPEC = JobSpec(prompt="chair")
EDIT = JobSpec(task="edit_shape", prompt="longer legs", inputs=("mesh",))


class Recorder:
    """A worker link that keeps what it was sent, and the events that were published."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.model = ModelInfo(state="ready", name="m")
        self.jobs_at_once = 1
        self.sent: list[link.ToWorker] = []
        self.frames: list[Sequence[bytes]] = []
        self.events: list[Event] = []
        self.kills = 0
        self.reloads = 0
        self.store = MemoryJobStore()
        self.dispatcher = Dispatcher(self.store, self, limits or Limits(), self.publish)

    def send(self, message: link.ToWorker, frames: Sequence[bytes] = ()) -> None:
        self.sent.append(message)
        self.frames.append(frames)

    def reload(self, now: float) -> None:
        self.reloads += 1

    def kill(self) -> None:
        self.kills += 1

    def publish(self, job: Job, packet: Packet) -> None:
        assert isinstance(packet.message, Event)
        self.events.append(packet.message)

    def submit(self, owner: str = "ann", spec: JobSpec = SPEC, *files: bytes) -> Job:
        for data in files:
            self.store.put_file(owner, digest(data), data)
        blobs = tuple(digest(data) for data in files)
        job, _ = self.dispatcher.hold(owner, Submit(job=new_job_id(), spec=spec, blobs=blobs), spec)
        self.dispatcher.announce(job)
        return job

    def finish(self, job: Job) -> None:
        names = {"mesh": digest(b"m"), "tokens": digest(b"t")}
        message = link.Finished(job=job.id, attempt=job.attempt, **names, pictures=(), seconds={})
        self.dispatcher.hear(message, [b"m", b"t"])

    def kinds(self, job: Job) -> list[str]:
        return [type(event).__name__ for event in self.events if event.job == job.id]


def test_jobs_run_one_after_another() -> None:
    worker = Recorder()
    first, second = worker.submit(), worker.submit()
    assert worker.dispatcher.position(second) == 1
    worker.finish(first)
    worker.finish(second)
    assert worker.kinds(first) == ["Queued", "Running", "Done"]
    assert worker.kinds(second) == ["Queued", "Running", "Done"]  # its place did not change, so was told once
    assert [event.seq for event in worker.events if event.job == first.id] == [
        1_000_001,
        1_000_002,
        1_000_003,
    ]


def test_colour_that_was_asked_for_before_the_model_was_known_is_left_out_with_a_warning() -> None:
    worker = Recorder()
    worker.model = ModelInfo(state="loading")
    coloured = JobSpec(prompt="chair", color=True)
    plain = worker.submit(spec=coloured)
    worker.model = ModelInfo(state="ready", name="m", capabilities={"tasks": ["text_to_shape"]})
    worker.dispatcher.advance()
    assert worker.kinds(plain) == ["Queued", "Running", "Warned"]
    worker.model = ModelInfo(state="ready", capabilities={"tasks": ["text_to_shape"], "color": True})
    worker.finish(plain)
    worker.submit(spec=coloured)
    assert [run.spec.color for run in worker.sent] == [False, True]


def test_places_in_the_queue_are_told_when_they_change() -> None:
    worker = Recorder()
    jobs = [worker.submit() for _ in range(3)]
    worker.finish(jobs[0])
    assert worker.kinds(jobs[2]) == ["Queued", "Queued"]
    assert worker.dispatcher.position(jobs[2]) == 1


def test_jobs_wait_for_a_loading_model() -> None:
    worker = Recorder()
    worker.model = ModelInfo(state="loading")
    job = worker.submit()
    assert worker.sent == []
    worker.model = ModelInfo(state="ready", name="m")
    worker.dispatcher.hear(link.Ready(model="m", capabilities={}, jobs_at_once=1), [])
    assert job.state == "running"


def test_a_queued_job_is_cancelled_at_once() -> None:
    worker = Recorder()
    worker.submit()
    queued = worker.submit()
    worker.dispatcher.cancel(queued)
    worker.dispatcher.cancel(queued)
    assert worker.kinds(queued) == ["Queued", "Cancelled"]


def test_a_running_job_is_cancelled_when_the_worker_stops() -> None:
    worker = Recorder()
    job = worker.submit()
    worker.dispatcher.cancel(job)
    worker.dispatcher.cancel(job)
    assert [type(message).__name__ for message in worker.sent] == ["Run", "Stop"]
    worker.dispatcher.hear(link.Stopped(job=job.id, attempt=1), [])
    assert worker.kinds(job)[-1] == "Cancelled"


def test_done_may_win_over_cancel() -> None:
    worker = Recorder()
    job = worker.submit()
    worker.dispatcher.cancel(job)
    worker.finish(job)
    worker.dispatcher.hear(link.Stopped(job=job.id, attempt=1), [])
    assert worker.kinds(job)[-1] == "Done"


def test_a_worker_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "CANCEL_GRACE", -1.0)
    worker = Recorder()
    job = worker.submit()
    worker.dispatcher.cancel(job)
    worker.dispatcher.advance()
    assert worker.kills == 1
    worker.dispatcher.worker_died()
    assert worker.kinds(job)[-1] == "Cancelled"


def test_a_job_that_kills_two_workers_fails_and_the_next_runs() -> None:
    worker = Recorder()
    poison, healthy = worker.submit(), worker.submit("bob")
    worker.dispatcher.worker_died()
    assert worker.kinds(poison)[-2:] == ["Retrying", "Queued"]
    worker.dispatcher.advance()
    worker.dispatcher.worker_died()
    assert worker.kinds(poison)[-1] == "Failed"
    worker.dispatcher.advance()
    assert healthy.state == "running"


def test_the_words_of_an_old_attempt_are_dropped() -> None:
    worker = Recorder()
    job = worker.submit()
    worker.dispatcher.worker_died()
    worker.dispatcher.advance()
    worker.dispatcher.hear(link.Broke(job=job.id, attempt=1, problem=problem("internal")), [])
    assert job.state == "running"
    worker.finish(job)
    assert worker.events[-1].seq // 10**6 == 2


def test_unreadable_weights_fail_what_waits_and_refuse_what_comes() -> None:
    worker = Recorder()
    worker.model = ModelInfo(state="loading")
    job = worker.submit()
    found = problem("model_corrupt", "The file is cut short.")
    worker.model = ModelInfo(state="unavailable", problem=found)
    worker.dispatcher.hear(link.Unavailable(problem=found), [])
    assert worker.kinds(job)[-1] == "Failed"
    with pytest.raises(ProtocolError, match="cut short"):
        worker.submit()
    assert worker.reloads == 1


def test_queue_and_owner_have_limits() -> None:
    worker = Recorder(Limits(jobs_queued=3, jobs_per_owner=2))
    worker.submit()
    worker.submit()
    with pytest.raises(ProtocolError) as caught:
        worker.submit()
    assert caught.value.code == "quota"
    worker.submit("bob")
    worker.submit("bob")
    with pytest.raises(ProtocolError) as caught:
        worker.submit("cy")
    assert caught.value.code == "queue_full"


@pytest.mark.parametrize(("size", "has_frame"), [(100, True), (101, False)])
def test_a_preview_too_large_for_its_event_is_a_file(size: int, has_frame: bool) -> None:
    worker = Recorder(Limits(preview=100))
    job = worker.submit()
    data = bytes(size)
    worker.dispatcher.hear(link.Sketch(job=job.id, attempt=1, sha=digest(data)), [data])
    assert bool(*[packet.frames for packet in job.latest.values()]) is has_frame
    assert (worker.store.file("ann", digest(data)) is None) is has_frame


def running(worker: Recorder) -> list[str]:
    """The jobs handed to the worker, in order."""
    return [message.job for message in worker.sent if isinstance(message, link.Run)]


def test_as_many_jobs_run_as_the_worker_takes_turn_by_turn() -> None:
    worker = Recorder()
    worker.model = ModelInfo(state="loading")
    ann = [worker.submit("ann") for _ in range(3)]
    bob = worker.submit("bob")
    worker.model, worker.jobs_at_once = ModelInfo(state="ready", name="m"), 2
    worker.dispatcher.advance()
    assert running(worker) == [ann[0].id, bob.id]
    worker.finish(bob)
    assert running(worker)[2:] == [ann[1].id]
    assert worker.dispatcher.position(ann[2]) == 2


def test_one_of_several_jobs_is_cancelled_or_fails_without_the_others() -> None:
    worker = Recorder()
    worker.jobs_at_once = 3
    first, second, third = (worker.submit() for _ in range(3))
    worker.dispatcher.cancel(second)
    assert worker.sent[-1] == link.Stop(job=second.id, attempt=1)
    worker.dispatcher.hear(link.Stopped(job=second.id, attempt=1), [])
    worker.dispatcher.hear(link.Broke(job=third.id, attempt=1, problem=problem("internal")), [])
    assert (first.state, second.state, third.state) == ("running", "cancelled", "failed")
    worker.finish(first)
    assert first.state == "done"


def test_jobs_of_a_dead_worker_are_tried_again_one_at_a_time_and_the_culprit_fails_alone() -> None:
    worker = Recorder()
    worker.jobs_at_once = 3
    innocent, poison, cancelled = worker.submit(), worker.submit("bob"), worker.submit()
    worker.dispatcher.cancel(cancelled)
    worker.dispatcher.worker_died()
    fresh = worker.submit("cy")
    assert [job.state for job in (innocent, poison, cancelled)] == ["running", "queued", "cancelled"]
    worker.finish(innocent)
    assert [job.state for job in (innocent, poison, fresh)] == ["done", "running", "queued"]
    worker.dispatcher.worker_died()
    worker.dispatcher.advance()
    assert [job.state for job in (poison, fresh)] == ["failed", "running"]


def test_input_files_go_with_the_job_again_after_a_crash_and_then_go() -> None:
    worker = Recorder()
    job = worker.submit("ann", EDIT, b"mesh")
    worker.dispatcher.worker_died()
    worker.dispatcher.advance()
    assert worker.frames == [[b"mesh"], [b"mesh"]]
    worker.finish(job)
    assert worker.store.file("ann", digest(b"mesh")) is None


def test_pictures_last_until_the_job_is_acknowledged() -> None:
    worker = Recorder()
    job = worker.submit()
    picture = Picture(image=digest(b"png"), view="left", segment=1)
    worker.dispatcher.hear(link.Drawn(job=job.id, attempt=1, picture=picture), [b"png"])
    done = link.Finished(job=job.id, attempt=1, mesh=None, tokens=None, pictures=(picture,), seconds={})
    worker.dispatcher.hear(done, [b"png"])
    partial, finished = worker.events[-2:]
    assert isinstance(partial, Partial)
    assert isinstance(finished, Done)
    assert (partial.image, partial.view, partial.segment) == (digest(b"png"), "left", 1)
    assert (finished.mesh, finished.pictures) == (None, (picture,))
    assert worker.store.file("ann", digest(b"png")) == b"png"
    worker.store.ack("ann", job.id)
    assert worker.store.file("ann", digest(b"png")) is None


def test_previews_of_meshes_and_pictures_are_kept_apart() -> None:
    worker = Recorder()
    job = worker.submit()
    worker.dispatcher.hear(link.Sketch(job=job.id, attempt=1, sha=digest(b"m")), [b"m"])
    for data in (b"1", b"2"):
        glimpse = link.Glimpse(job=job.id, attempt=1, sha=digest(data), view=None, segment=0)
        worker.dispatcher.hear(glimpse, [data])
    previews = [packet for packet in job.latest.values() if isinstance(packet.message, Preview)]
    assert [packet.frames for packet in previews] == [(b"m",), (b"2",)]


def test_a_task_the_model_does_not_do_is_refused_at_once() -> None:
    worker = Recorder()
    worker.model = ModelInfo(state="ready", name="m", capabilities={"tasks": ["text_to_shape"]})
    with pytest.raises(ProtocolError, match=r"m cannot do edit_shape\. It does: text_to_shape"):
        worker.submit("ann", EDIT, b"mesh")
