"""Whatever arrives, decode gives a message or a ProtocolError."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.framing import decode, encode
from protocol.limits import Limits
from protocol.messages import BACKEND_TYPES, CLIENT_TYPES, EVENT_KINDS, Chunk, Ping, Preview, Submit
from protocol.version import PREAMBLE

JOB = "0" * 32
SHA = "a" * 64
NAMES = [*CLIENT_TYPES, *BACKEND_TYPES, "event"]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([JOB, SHA, "queued"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
field_names = st.sampled_from(
    [
        "job",
        "spec",
        "sha",
        "off",
        "n",
        "total",
        "t",
        "limits",
        "model",
        "error",
        "jobs",
        "blobs",
        "seq",
        "attempt",
        "mesh",
        "image",
        "of",
        "pictures",
    ]
)
headers = st.builds(
    lambda name, kind, rest: {**rest, "type": name, "kind": kind},
    st.sampled_from(NAMES) | json_values,
    st.sampled_from(list(EVENT_KINDS)) | json_values,
    st.dictionaries(field_names, json_values, max_size=8),
)


def code_of(parts: list[bytes], limits: Limits | None = None) -> str:
    with pytest.raises(ProtocolError) as caught:
        decode(parts, limits or Limits())
    return caught.value.code


def header(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=80) | st.just(PREAMBLE), max_size=7))
def test_random_frames_give_protocol_errors(parts: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        decode(parts)


@settings(max_examples=300, deadline=None)
@given(headers, st.lists(st.binary(max_size=8), max_size=5))
def test_random_fields_give_a_message_or_a_protocol_error(
    fields: dict[str, object], frames: list[bytes]
) -> None:
    try:
        packet = decode([PREAMBLE, json.dumps(fields).encode(), *frames])
    except ProtocolError:
        return
    assert decode(encode(packet.message, packet.frames)) == packet


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_truncated_or_flipped_header_gives_a_message_or_a_protocol_error(data: st.DataObject) -> None:
    whole = bytearray(header(type="sub", job=JOB, after=1))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for damaged in (bytes(whole), bytes(whole[:cut])):
        try:
            decode([PREAMBLE, damaged])
        except ProtocolError:
            continue


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([], "bad_frame"),
        ([b"O3"], "bad_frame"),
        ([b"GET / HTTP/1.1"], "bad_frame"),
        ([PREAMBLE], "bad_frame"),
        ([b"O3\x02", b"{}"], "version"),
        ([b"O3\x02"], "version"),
        ([PREAMBLE, b""], "bad_header"),
        ([PREAMBLE, b"[1]"], "bad_header"),
        ([PREAMBLE, b"\xff"], "bad_header"),
        ([PREAMBLE, b"[" * 60_000], "bad_header"),
        ([PREAMBLE, b'{"type":"ping","t":NaN}'], "bad_header"),
        ([PREAMBLE, b'{"type":"ping","t":1e999}'], "bad_header"),
        ([PREAMBLE, b'{"type":"ping","t":1' + b"0" * 5000 + b"}"], "bad_header"),
        ([PREAMBLE, b'{"type":"hello","client":"\\ud800","session":""}'], "bad_header"),
        ([PREAMBLE, header(type="ping", t=True)], "bad_header"),
        ([PREAMBLE, header(type="ping")], "bad_header"),
        ([PREAMBLE, header(type="sub", job="../../etc/passwd")], "bad_header"),
        ([PREAMBLE, header(type="fetch", sha=SHA, off=-1, n=1)], "bad_header"),
        ([PREAMBLE, header(type="fetch", sha="../" + SHA, off=0, n=1)], "bad_header"),
        ([PREAMBLE, header(type="steal")], "unknown_type"),
        ([PREAMBLE, header(type=["ping"])], "unknown_type"),
        ([PREAMBLE, header(type="event", kind="exploded")], "unknown_type"),
        ([PREAMBLE, header(type="ping", t=0), b"surplus"], "bad_frame"),
        ([PREAMBLE, header(type="put", sha=SHA, off=0, total=4)], "bad_frame"),
        ([PREAMBLE, header(type="put", sha=SHA, off=2, total=4), b"abc"], "bad_frame"),
        ([PREAMBLE, b"x" * 65_537], "too_big"),
        ([PREAMBLE, header(type="put", sha=SHA, off=0, total=1 << 20), bytes(262_145)], "too_big"),
        ([PREAMBLE, b"{}", b"", b"", b"", b"", b""], "too_big"),
        ([PREAMBLE, header(type="event", kind="running", job=JOB, attempt=1, seq=2_000_001)], "bad_header"),
    ],
)
def test_bad_input_has_its_code(parts: list[bytes], code: str) -> None:
    assert code_of(parts) == code


def test_a_wrong_setting_names_its_field_and_its_job() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode([PREAMBLE, header(type="submit", job=JOB, spec={"prompt": 5})])
    assert (caught.value.code, caught.value.field, caught.value.job) == ("bad_option", "spec.prompt", JOB)


def test_unknown_fields_are_ignored() -> None:
    packet = decode([PREAMBLE, header(type="submit", job=JOB, spec={"prompt": "a", "mood": 1}, hue=2)])
    assert isinstance(packet.message, Submit)
    assert packet.message.spec.prompt == "a"


def test_preview_has_either_a_frame_or_a_name() -> None:
    event = {"type": "event", "kind": "preview", "job": JOB, "attempt": 1, "seq": 1_000_001}
    assert code_of([PREAMBLE, header(**event)]) == "bad_frame"
    assert code_of([PREAMBLE, header(**event, mesh=SHA), b"mesh"]) == "bad_frame"
    assert isinstance(decode([PREAMBLE, header(**event), b"mesh"]).message, Preview)
    assert code_of([PREAMBLE, header(**event, of="image", mesh=SHA)]) == "bad_header"
    assert decode([PREAMBLE, header(**event, of="image", image=SHA)]).message.file == SHA


def test_a_part_is_one_file() -> None:
    event = {"type": "event", "kind": "partial", "job": JOB, "attempt": 1, "seq": 1_000_001}
    assert code_of([PREAMBLE, header(**event)]) == "bad_header"
    assert code_of([PREAMBLE, header(**event, mesh=SHA, image=SHA)]) == "bad_header"
    assert decode([PREAMBLE, header(**event, image=SHA, view="left")]).message.view == "left"


def test_encode_refuses_what_the_other_side_would() -> None:
    with pytest.raises(ProtocolError, match="262145 bytes"):
        encode(Chunk(sha=SHA, off=0, total=1 << 20), [bytes(262_145)])
    with pytest.raises(ProtocolError):
        encode(Ping(t=1.0), [b"surplus"])


def test_frames_are_not_copied() -> None:
    frame = b"four"
    assert decode(encode(Chunk(sha=SHA, off=0, total=4), [frame])).frames[0] is frame


def test_limits_must_be_positive() -> None:
    with pytest.raises(ProtocolError, match="must be positive"):
        decode(
            [
                PREAMBLE,
                header(type="welcome", epoch="e", user="u", limits={"blob": 0}, model={"state": "ready"}),
            ]
        )
