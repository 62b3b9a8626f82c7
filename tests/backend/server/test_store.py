"""A job outlives its connection, belongs to its key, ends once, and is dropped in time."""

from __future__ import annotations

import pytest

from backend.server.store import Job, MemoryJobStore
from protocol.blobs import digest
from protocol.errors import ProtocolError, problem
from protocol.framing import Packet
from protocol.jobs import JobSpec
from protocol.messages import Cancelled, Done, Event, Partial, Preview, Progress, Queued, Retrying

SPEC = JobSpec(prompt="chair")


def submit(store: MemoryJobStore, owner: str = "ann", id: str = "1" * 32) -> Job:
    return store.submit(owner, id, SPEC, ())[0]


def record(
    store: MemoryJobStore, job: Job, kind: type[Event], files: tuple[bytes, ...] = (), **fields: object
) -> None:
    event = kind(job=job.id, attempt=job.attempt, seq=job.next_seq(), **fields)
    store.record(job, Packet(event), {digest(data): data for data in files})


def finish(store: MemoryJobStore, job: Job, mesh: bytes = b"mesh") -> None:
    names = {"mesh": digest(mesh), "tokens": digest(b"tokens")}
    record(store, job, Done, (mesh, b"tokens"), **names, model="m", seconds={}, seed=0)


def code_of(error: pytest.ExceptionInfo[ProtocolError]) -> str:
    return error.value.code


def test_the_same_id_is_the_same_job() -> None:
    store = MemoryJobStore()
    job = submit(store)
    assert store.submit("ann", job.id, SPEC, ()) == (job, True)
    with pytest.raises(ProtocolError) as caught:
        store.submit("ann", job.id, JobSpec(prompt="table"), ())
    assert code_of(caught) == "id_conflict"


def test_anothers_job_and_files_are_not_there() -> None:
    store = MemoryJobStore()
    job = submit(store)
    finish(store, job)
    for ask in (
        lambda: store.get("bob", job.id),
        lambda: store.ack("bob", job.id),
        lambda: submit(store, "bob"),
    ):
        with pytest.raises(ProtocolError) as caught:
            ask()
        assert code_of(caught) == "no_job"
    assert store.file("ann", digest(b"mesh")) == b"mesh"
    assert store.file("bob", digest(b"mesh")) is None


def test_only_the_newest_place_progress_and_preview_are_kept() -> None:
    store, job = MemoryJobStore(), Job(id="", owner="", spec=SPEC, blobs=())
    job = submit(store)
    for n in (2, 1):
        record(store, job, Queued, position=n)
        record(store, job, Progress, stage="s", done=n, total=2)
        record(store, job, Preview, (bytes([n]),), mesh=digest(bytes([n])))
    assert [event.position for event in job.events if isinstance(event, Queued)] == [1]
    assert {type(packet.message).__name__ for packet in job.latest.values()} == {"Progress", "Preview"}
    assert store.file("ann", digest(b"\x01")) == b"\x01"
    assert store.file("ann", digest(b"\x02")) is None


def test_a_job_ends_once() -> None:
    store = MemoryJobStore()
    job = submit(store)
    record(store, job, Cancelled)
    assert (job.state, store.waiting("ann"), job.latest) == ("cancelled", 0, {})
    with pytest.raises(AssertionError, match="exactly one terminal event"):
        finish(store, job)


def test_ack_drops_the_files_but_not_the_memory_of_the_job() -> None:
    store = MemoryJobStore()
    job = submit(store)
    store.ack("ann", job.id)  # too early: nothing to drop
    finish(store, job)
    assert store.jobs("ann", 0.0) == [job]
    store.ack("ann", job.id)
    assert store.file("ann", digest(b"mesh")) is None
    assert store.jobs("ann", 0.0) == []
    assert store.submit("ann", job.id, SPEC, ()) == (job, True)


def test_files_over_the_limit_go_acknowledged_ones_and_oldest_first() -> None:
    store = MemoryJobStore(max_bytes=250)
    jobs = [submit(store, id=str(n) * 32) for n in range(4)]
    for n, job in enumerate(jobs):
        finish(store, job, bytes([n]) * 100)
    assert [store.file("ann", digest(bytes([n]) * 100)) is not None for n in range(4)] == [
        False,
        False,
        True,
        True,
    ]


def test_old_jobs_and_uploads_are_forgotten() -> None:
    store = MemoryJobStore(keep=-1.0, keep_upload=-1.0)
    running, done = submit(store), submit(store, id="2" * 32)
    finish(store, done)
    store.put_file("ann", digest(b"in"), b"in")
    assert store.file("ann", digest(b"in")) is None
    assert store.get("ann", running.id) is running
    with pytest.raises(ProtocolError):
        store.get("ann", done.id)


def test_inputs_are_limited_over_all_that_wait() -> None:
    store = MemoryJobStore(max_inputs=250)
    store.put_file("ann", digest(b"a" * 100), b"a" * 100)
    store.submit("ann", "1" * 32, SPEC, (digest(b"a" * 100),))
    store.put_file("bob", digest(b"b" * 100), b"b" * 100)
    with pytest.raises(ProtocolError) as caught:
        store.put_file("bob", digest(b"c" * 100), b"c" * 100)
    assert code_of(caught) == "quota"
    record(store, store.get("ann", "1" * 32), Cancelled)
    store.put_file("bob", digest(b"c" * 100), b"c" * 100)


def test_parts_of_a_retried_attempt_are_void() -> None:
    store = MemoryJobStore()
    job = submit(store)
    record(store, job, Partial, (b"png",), image=digest(b"png"))
    job.attempt = 2
    record(store, job, Retrying, error=problem("worker_crash"))
    assert [type(event).__name__ for event in job.events] == ["Retrying"]
    finish(store, job)
    assert store.file("ann", digest(b"png")) is None


def test_seq_grows_across_attempts() -> None:
    job = submit(MemoryJobStore())
    first = job.next_seq()
    job.attempt = 2
    assert (first, job.next_seq()) == (1_000_001, 2_000_002)
