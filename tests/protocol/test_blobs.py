"""Files arrive whole, in bounded memory, over links that break."""

from __future__ import annotations

import random

import pytest

from protocol.blobs import Assembly, BlobReader, BlobWriter, digest
from protocol.errors import ProtocolError
from protocol.limits import Limits
from protocol.messages import Chunk, Fetch, Have

LIMITS = Limits(frame=100, window=400, blob=5_000)


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def chunk_of(data: bytes, fetch: Fetch) -> tuple[Chunk, bytes]:
    return Chunk(sha=fetch.sha, off=fetch.off, total=len(data)), data[fetch.off : fetch.off + fetch.n]


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 400, 1_234])
def test_reader_pulls_within_its_window(size: int) -> None:
    data = content(size)
    reader = BlobReader(digest(data), LIMITS)
    in_flight: list[Fetch] = list(reader.requests())
    assert len(in_flight) == 1  # until the size is known
    while in_flight:
        assert sum(fetch.n for fetch in in_flight) <= LIMITS.window
        reader.feed(*chunk_of(data, in_flight.pop(0)))
        in_flight += reader.requests()
    assert reader.complete
    assert reader.data() == data


def test_reader_resumes_from_what_it_holds() -> None:
    data = content(1_000)
    reader = BlobReader(digest(data), LIMITS)
    reader.feed(*chunk_of(data, next(reader.requests())))
    list(reader.requests())  # asked, and lost with the connection
    reader.restart()
    assert next(reader.requests()).off == 100
    assert reader.fraction == 0.1


def test_damaged_file_is_refused() -> None:
    data = content(150)
    reader = BlobReader(digest(data), LIMITS)
    reader.feed(*chunk_of(data, next(reader.requests())))
    with pytest.raises(ProtocolError) as caught:
        reader.feed(Chunk(sha=reader.sha, off=100, total=150), bytes(50))
    assert caught.value.code == "bad_hash"


@pytest.mark.parametrize(
    ("off", "total", "size", "code"),
    [
        (0, 5_001, 1, "too_big"),
        (100, 300, 100, "bad_frame"),
        (0, 50, 100, "bad_frame"),
    ],
)
def test_assembly_refuses_what_cannot_be(off: int, total: int, size: int, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        Assembly("a" * 64, LIMITS).add(off, total, bytes(size))
    assert caught.value.code == code


def test_assembly_refuses_a_changing_size_and_ignores_repeats() -> None:
    assembly = Assembly("a" * 64, LIMITS)
    assembly.add(0, 300, bytes(100))
    assembly.add(0, 300, bytes(100))
    assert assembly.size == 100
    with pytest.raises(ProtocolError):
        assembly.add(100, 301, bytes(100))


@pytest.mark.parametrize("size", [0, 1, 100, 1_234])
def test_writer_sends_within_its_credit(size: int) -> None:
    data = content(size)
    writer, assembly = BlobWriter(data, LIMITS), Assembly(digest(data), LIMITS)
    while not writer.complete:
        puts = list(writer.requests())
        assert sum(len(frame) for _, frame in puts) <= LIMITS.window
        for put, frame in puts:
            assembly.add(put.off, put.total, frame)
            writer.credit(Have(sha=put.sha, off=assembly.size))
    assert assembly.data() == data


def test_writer_resumes_from_the_last_credit() -> None:
    writer = BlobWriter(content(1_000), LIMITS)
    list(writer.requests())
    writer.credit(Have(sha=writer.sha, off=200))
    writer.restart()
    assert next(writer.requests())[0].off == 200
    writer.credit(Have(sha=writer.sha, off=0))  # the backend restarted and holds nothing
    assert next(writer.requests())[0].off == 0


def test_writer_refuses_a_file_over_the_limit() -> None:
    with pytest.raises(ProtocolError, match="5001 bytes"):
        BlobWriter(bytes(5_001), LIMITS)
