"""A job is cleaned and checked before it is sent and when it is received."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.errors import ProtocolError
from protocol.jobs import JOB_ID, JobSpec, checked_spec, clean_prompt, new_job_id


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("  a \t round\ntable ", "a round table"),
        ("cafe\u0301", "café"),
        ("ta\x00ble\x1b[31m", "table[31m"),
        ("\u202eelbat\u202c \u2066x\u2069", "elbat x"),
        (
            "stuhl \U0001f469\u200d\U0001f52c",
            "stuhl \U0001f469\u200d\U0001f52c",
        ),  # a joined emoji stays whole
        ("كرسي", "كرسي"),
        ("x\ud800", "x"),
    ],
)
def test_prompt_is_cleaned(typed: str, cleaned: str) -> None:
    assert clean_prompt(typed) == cleaned


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"prompt": " \u202e\x00\n"}, "empty_prompt", "prompt"),
        ({"prompt": "ö" * 10_001}, "too_long", "prompt"),
        ({"prompt": "a", "task": "shape_to_gold"}, "unknown_task", "task"),
        ({"prompt": "a", "seed": -1}, "bad_option", "seed"),
        ({"prompt": "a", "seed": 2**63}, "bad_option", "seed"),
        ({"prompt": "a", "guidance": 101.0}, "bad_option", "guidance"),
        ({"prompt": "a", "temperature": float("nan")}, "bad_option", "temperature"),
        ({"prompt": "a", "top_p": 0.0}, "bad_option", "top_p"),
        ({"prompt": "a", "cells": 4096}, "bad_option", "cells"),
    ],
)
def test_bad_job_names_its_fault(fields: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        checked_spec(JobSpec(**fields))
    assert (caught.value.code, caught.value.field) == (code, field)


def test_good_job_comes_back_clean() -> None:
    spec = checked_spec(JobSpec(prompt=" chair ", guidance=3.0, temperature=0.0, top_p=1.0, cells=64))
    assert spec == JobSpec(prompt="chair", guidance=3.0, temperature=0.0, top_p=1.0, cells=64)


def test_a_task_takes_the_files_it_takes() -> None:
    with pytest.raises(ProtocolError, match="takes 0 input files, not 1"):
        checked_spec(JobSpec(prompt="chair"), n_blobs=1)


def test_new_ids_are_ids() -> None:
    assert JOB_ID.fullmatch(new_job_id())
    assert new_job_id() != new_job_id()
