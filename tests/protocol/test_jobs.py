"""A job is cleaned and checked before it is sent and when it is received."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.errors import ProtocolError
from protocol.jobs import JOB_ID, JobSpec, check_offered, checked_spec, clean_prompt, new_job_id
from protocol.tasks import TASKS, VIEWS


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
        ({"prompt": "a", "faces": 3}, "bad_option", "faces"),
        ({"prompt": "a", "smoothing": 1.5}, "bad_option", "smoothing"),
        ({"prompt": "a", "box": (1.0, 2.0)}, "bad_option", "box"),
        ({"prompt": "a", "box": (1.0, 2.0, 0.0)}, "bad_option", "box"),
        ({"prompt": "a", "box": (1.0, 2.0, float("nan"))}, "bad_option", "box"),
        ({"prompt": "a", "views": ("left",)}, "bad_option", "views"),
        ({"prompt": "a", "task": "text_to_view", "views": ("above",)}, "bad_option", "views"),
        ({"prompt": "a", "task": "text_to_view"}, "bad_option", "views"),
        ({"prompt": "", "task": "edit_shape"}, "empty_prompt", "prompt"),
    ],
)
def test_bad_job_names_its_fault(fields: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        checked_spec(JobSpec(**fields))
    assert (caught.value.code, caught.value.field) == (code, field)


def test_good_job_comes_back_clean() -> None:
    spec = checked_spec(JobSpec(prompt=" chair ", guidance=3.0, temperature=0.0, top_p=1.0, cells=64))
    assert spec == JobSpec(prompt="chair", guidance=3.0, temperature=0.0, top_p=1.0, cells=64)


@pytest.mark.parametrize(
    ("fields", "n_blobs", "sentence"),
    [
        ({"prompt": "chair"}, 1, "declares 0 files and names 1"),
        ({"prompt": "chair", "inputs": ("image",)}, 1, "text_to_shape takes 0 images, not 1"),
        ({"task": "image_to_shape"}, 0, "image_to_shape takes 1 images, not 0"),
        ({"task": "shape_to_image"}, 0, "takes one source shape"),
        ({"task": "shape_to_image", "inputs": ("mesh", "tokens")}, 2, "takes one source shape"),
        ({"task": "views_to_shape", "inputs": ("image",) * 7}, 7, "1 to 6 images, not 7"),
        ({"task": "views_to_shape", "inputs": ("image",)}, 1, "1 to 6 views of images, not 0"),
        (
            {"task": "views_to_shape", "inputs": ("image",) * 2, "image_views": ("left",)},
            2,
            "Each image needs its own view",
        ),
        (
            {"task": "text_to_views_shape_views", "prompt": "a", "image_views": ("top",), "views": ("top",)},
            0,
            "named twice",
        ),
        ({"task": "shape_to_views", "inputs": ("mesh",), "views": ("top", "top")}, 1, "named twice"),
    ],
)
def test_a_task_takes_the_files_and_views_it_takes(
    fields: dict[str, Any], n_blobs: int, sentence: str
) -> None:
    with pytest.raises(ProtocolError, match=sentence) as caught:
        checked_spec(JobSpec(**fields), n_blobs)
    assert caught.value.code == "bad_option"


@pytest.mark.parametrize("name", TASKS)
def test_every_task_can_be_asked_for(name: str) -> None:
    task = TASKS[name]
    inputs = ("mesh",) * task.shape + ("image",) * task.images[0]
    views = VIEWS[: task.views[0]]
    spec = JobSpec(
        task=name,
        prompt="a" * task.words,
        inputs=inputs,
        views=views,
        image_views=VIEWS[::-1][: task.image_views[0]],
    )
    assert checked_spec(spec, len(inputs)) == spec


def test_what_a_model_does_not_offer_is_refused() -> None:
    capabilities = {"tasks": ["text_to_shape"]}
    check_offered(JobSpec(prompt="a"), "mini", capabilities)
    check_offered(JobSpec(task="edit_shape"), "mini", {})  # not known yet
    with pytest.raises(ProtocolError, match=r"mini cannot do edit_shape\. It does: text_to_shape"):
        check_offered(JobSpec(task="edit_shape"), "mini", capabilities)
    boxed = JobSpec(prompt="a", box=(1.0, 1.0, 1.0))
    with pytest.raises(ProtocolError, match="mini cannot fill a box"):
        check_offered(boxed, "mini", capabilities)
    check_offered(boxed, "mini", {**capabilities, "box": True})
    coloured = JobSpec(prompt="a", color=True)
    with pytest.raises(ProtocolError, match="mini cannot colour shapes"):
        check_offered(coloured, "mini", capabilities)
    check_offered(coloured, "mini", {**capabilities, "color": True})


def test_new_ids_are_ids() -> None:
    assert JOB_ID.fullmatch(new_job_id())
    assert new_job_id() != new_job_id()
