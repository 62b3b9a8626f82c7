"""The backend's decoder and the add-on's agree on every input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend.server import decoding as with_msgspec
from protocol import decoding as with_stdlib
from protocol.errors import ProtocolError
from protocol.messages import BACKEND_TYPES, CLIENT_TYPES, EVENT_KINDS, Message

DOCUMENT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
EXAMPLES = [line for line in DOCUMENT.splitlines() if line.startswith('{"type"')]
JOB = "0" * 32

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from([JOB, "a" * 64]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def outcome(header: bytes, decoder: object) -> Message | tuple[str, str | None]:
    decode = with_msgspec.decode_header if decoder is with_msgspec else with_stdlib.decode_header
    try:
        return decode(header)
    except ProtocolError as error:
        return error.code, error.job


def agree(header: bytes) -> None:
    assert outcome(header, with_msgspec) == outcome(header, with_stdlib)


@pytest.mark.parametrize("header", EXAMPLES)
def test_agree_on_every_example(header: str) -> None:
    agree(header.encode())
    assert not isinstance(outcome(header.encode(), with_msgspec), tuple)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EXAMPLES), st.data())
def test_agree_when_a_field_is_replaced_or_missing(header: str, data: st.DataObject) -> None:
    raw = json.loads(header)
    target = data.draw(
        st.sampled_from([raw, *(value for value in raw.values() if isinstance(value, dict) and value)])
    )
    name = data.draw(st.sampled_from(list(target)))
    if data.draw(st.booleans()):
        del target[name]
    else:
        target[name] = data.draw(values)
    agree(json.dumps(raw, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
@example(b'{"type":"ping","t":1e999}')
@example(b'{"type":"ping","t":Infinity}')
@example(b'{"type":"ping","t":-0}')
@example(b'{"type":"ping","t":1' + b"0" * 400 + b"}")
@example(b'{"type":"ping","t":1,"x":"\\ud800"}')
@example(b'{"type":"ping","t":1,"t":2}')
@example(b'{"type":"ping","t":1} x')
@example(b'\xef\xbb\xbf{"type":"ping","t":1}')
@example(b'{"type":"fetch","sha":"' + b"a" * 64 + b'","off":1.0,"n":1}')
@example(b'{"type":"fetch","sha":"' + b"a" * 64 + b'","off":true,"n":1}')
@example(b'{"type":"fetch","sha":"' + b"a" * 64 + b'","off":36893488147419103232,"n":1}')
def test_agree_on_junk(header: bytes) -> None:
    agree(header)


def test_every_type_is_compared() -> None:
    shown = {json.loads(line).get("kind") or json.loads(line)["type"] for line in EXAMPLES}
    assert shown == {*CLIENT_TYPES, *BACKEND_TYPES, *EVENT_KINDS}


def test_both_name_the_field_at_fault() -> None:
    header = json.dumps({"type": "submit", "job": JOB, "spec": {"prompt": "a", "cells": "many"}}).encode()
    for decode in (with_msgspec.decode_header, with_stdlib.decode_header):
        with pytest.raises(ProtocolError) as caught:
            decode(header)
        assert (caught.value.code, caught.value.field, caught.value.job) == ("bad_option", "spec.cells", JOB)
