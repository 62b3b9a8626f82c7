"""What the panel offers is what the connected model does."""

from __future__ import annotations

import pytest
from omni123_extension.blender_addon.core.offers import MAKES, fills_boxes, makes_shape, offered
from omni123_extension.blender_addon.core.pace import TOKEN_STAGES
from omni123_extension.protocol.tasks import TASKS


@pytest.mark.parametrize(
    ("capabilities", "tasks"),
    [
        (None, ["text_to_shape"]),
        ({}, ["text_to_shape"]),
        ({"tasks": "many"}, ["text_to_shape"]),
        ({"tasks": ["text_to_image", "edit_shape", "text_to_shape"]}, ["text_to_shape", "text_to_image"]),
        ({"tasks": ["edit_shape"]}, []),
    ],
)
def test_only_what_the_model_does_is_offered(
    capabilities: dict[str, object] | None, tasks: list[str]
) -> None:
    assert offered(capabilities) == tasks


def test_a_box_is_offered_only_where_the_model_says_so() -> None:
    assert [fills_boxes(c) for c in (None, {}, {"box": "yes"}, {"box": True})] == [None, False, False, True]


def test_the_panels_tasks_are_the_protocols() -> None:
    assert set(MAKES) == set(TOKEN_STAGES) <= set(TASKS)
    assert all(TASKS[task].words and not TASKS[task].shape for task in MAKES)
    assert [makes_shape(task) for task in MAKES] == [True, True, False]
