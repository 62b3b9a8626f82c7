"""A request becomes a plan, or one sentence that says what to change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.events import Request
from backend.failures import RequestError
from backend.geometry.mesh import Mesh
from backend.plan import CELLS, Offer, plan
from backend.sampling import SamplingSettings
from backend.sequence import Segment
from backend.tasks import TASKS
from tests.backend.small_model import Letters

OFFER = Offer(tasks=tuple(TASKS), text=Letters(), defaults=SamplingSettings(guidance=2.0), box=True)
MESH = Mesh(vertices=np.eye(3, dtype=np.float32), faces=np.array([[0, 1, 2]], np.int32))
TOKENS = np.zeros(4, np.uint16)
IMAGE = np.zeros((4, 4, 4), np.uint8)


def test_a_setting_left_out_is_the_models_own() -> None:
    made = plan(Request(prompt="a chair", temperature=0.5, seed=7), OFFER)
    assert made.settings == SamplingSettings(guidance=2.0, temperature=0.5, seed=7)
    assert made.cells == CELLS


def test_a_task_may_have_defaults_of_its_own() -> None:
    offer = replace(OFFER, own={"text_to_shape": SamplingSettings(guidance=0.5)})
    assert plan(Request(prompt="a chair"), offer).settings.guidance == 0.5
    assert plan(Request(task="text_to_image", prompt="a chair"), offer).settings.guidance == 2.0


def test_without_words_the_guidance_is_the_sources() -> None:
    wordless = Request(task="image_to_shape", images=(IMAGE,))
    assert plan(wordless, OFFER).settings.source_guidance == OFFER.defaults.guidance
    assert plan(replace(wordless, prompt="a cup"), OFFER).settings.source_guidance == 0
    assert plan(replace(wordless, source_guidance=1.0), OFFER).settings.source_guidance == 1


def test_sources_stand_in_the_prefix() -> None:
    request = Request(task="views_to_shape", images=(IMAGE, IMAGE), image_views=("front", "left"))
    layout = plan(request, OFFER).layout
    assert layout.prefix == (Segment("image", "front"), Segment("image", "left"))
    assert layout.targets == (Segment("shape"),)


@pytest.mark.parametrize(
    ("request_", "code", "says"),
    [
        (Request(prompt="  "), "empty_prompt", "Type what to make"),
        (Request(prompt="a chair", task="paint"), "unknown_task", "text_to_shape"),
        (Request(prompt="chair " * 40), "too_long", "Shorten"),
        (Request(prompt="a chair", guidance=-1.0), "bad_option", "guidance"),
        (Request(prompt="a chair", cells=9999), "bad_option", "512"),
        (Request(prompt="a chair", faces=3), "bad_option", "16 or more"),
        (Request(prompt="a chair", smoothing=2.0), "bad_option", "between 0 and 1"),
        (Request(prompt="a chair", box=(1.0, 0.0, 1.0)), "bad_option", "three positive sides"),
        (Request(prompt="a chair", views=("front",)), "bad_option", "takes 0 views, not 1"),
        (Request(prompt="a chair", mesh=MESH), "bad_option", "no source shape"),
        (Request(task="edit_shape", prompt="add a leg"), "bad_option", "one source shape"),
        (
            Request(task="edit_shape", prompt="add a leg", tokens=TOKENS),
            "bad_option",
            "needs the object's mesh",
        ),
        (Request(task="image_to_shape"), "bad_option", "takes 1 images, not 0"),
        (Request(task="shape_to_view", mesh=MESH, views=("inside",)), "bad_option", "no view"),
    ],
)
def test_bad_requests_say_what_to_do(request_: Request, code: str, says: str) -> None:
    with pytest.raises(RequestError, match=says) as raised:
        plan(request_, OFFER)
    assert raised.value.code == code


def test_a_model_without_boxes_says_so() -> None:
    offer = Offer(tasks=("text_to_shape",), text=Letters(), defaults=SamplingSettings(), box=False)
    with pytest.raises(RequestError, match="takes no bounding box"):
        plan(Request(prompt="a chair", box=(1.0, 1.0, 1.0)), offer)
