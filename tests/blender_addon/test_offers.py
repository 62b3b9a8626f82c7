"""What the panel offers is what the connected model does; what it greys, it names."""

from __future__ import annotations

from omni123_extension.blender_addon.core.offers import (
    MAKES,
    MODES,
    TASKS_OF,
    colours,
    fills_boxes,
    lacking,
    makes_shape,
    mode_offered,
    offers,
)
from omni123_extension.blender_addon.core.pace import CHAINS
from omni123_extension.protocol.tasks import TASKS

ALL = sorted({task for tasks in TASKS_OF.values() for task in tasks})


def test_a_model_that_has_not_been_heard_of_may_do_anything() -> None:
    for capabilities in (None, {}, {"tasks": "many"}):
        assert all(offers(capabilities, task) for task in TASKS)
        assert all(mode_offered(capabilities, mode) for mode in MODES)


def test_what_a_model_lacks_is_named_as_the_panel_names_it() -> None:
    assert lacking(None) == []
    assert lacking({"tasks": ALL, "color": True}) == []
    assert lacking({"tasks": ALL}) == ["Colour"]
    assert lacking({"tasks": ["text_to_shape", "edit_shape"]}) == [
        "Picture, Shape",
        "Picture",
        "Image",
        "Views",
        "Colour",
    ]
    assert lacking({"tasks": ["image_to_shape"], "color": True}) == ["Words", "Edit", "Views"]


def test_a_mode_is_offered_where_one_of_its_tasks_is() -> None:
    assert mode_offered({"tasks": ["text_to_views_shape_views"]}, "VIEWS")
    assert not mode_offered({"tasks": ["text_to_shape"]}, "EDIT")


def test_a_box_and_colour_are_offered_only_where_the_model_says_so() -> None:
    assert [fills_boxes(c) for c in (None, {}, {"box": "yes"}, {"box": True})] == [None, False, False, True]
    assert [colours(c) for c in (None, {}, {"color": 1}, {"color": True})] == [None, False, False, True]


def test_the_panels_tasks_are_the_protocols() -> None:
    assert set(ALL) == set(CHAINS) <= set(TASKS)
    assert all(TASKS[task].words and not TASKS[task].shape for task in MAKES)
    assert [makes_shape(task) for task in MAKES] == [True, True, False]
