"""What a shape is coloured from, and colours that come from a source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.coloring import colored, coloring, nearest_colors
from backend.events import Request
from backend.geometry.mesh import Mesh
from backend.sampling import SamplingSettings
from backend.sequence import VIEWS
from backend.tasks import TASKS
from tests.backend.test_sources import ball

SETTINGS = SamplingSettings(guidance=2.0)
WORDS = Request(prompt="a chair")
RED, BLUE = (200, 0, 0, 255), (0, 0, 200, 255)


def plan(task: str, *, tasks: tuple[str, ...] = tuple(TASKS), **views: tuple[str, ...]) -> list[tuple]:  # type: ignore[type-arg]
    layout = TASKS[task].layout(views.get("image_views", ()), views.get("views", ()))
    drawings = coloring(WORDS, layout, SETTINGS, tasks).drawings
    return [
        (d.of, d.number, [s.view for s in d.layout.prefix], [s.view for s in d.layout.targets])
        for d in drawings
    ]


def test_a_shape_of_words_is_drawn_from_all_views() -> None:
    assert plan("text_to_shape") == [("shape", 0, [None], list(VIEWS))]


def test_a_picture_of_it_says_what_colours_it_has() -> None:
    assert plan("image_to_shape") == [("source", 0, [None], [view]) for view in VIEWS]
    assert plan("text_to_image_shape")[0] == ("target", 0, [None], ["front"])
    without = plan("image_to_shape", tasks=("shape_to_views",))
    assert without == [("shape", 0, [None], list(VIEWS))]


def test_views_that_the_task_draws_are_not_drawn_again() -> None:
    made = plan("text_to_views_shape_views", image_views=("left", "front"), views=("top",))
    assert made == [("target", 0, ["left"], [view]) for view in ("back", "right", "bottom")]
    assert plan("text_to_views_shape_views", image_views=VIEWS) == []


def test_an_instruction_does_not_say_what_a_shape_is() -> None:
    edit = coloring(WORDS, TASKS["edit_shape"].layout(), SETTINGS, TASKS)
    shape = coloring(WORDS, TASKS["text_to_shape"].layout(), SETTINGS, TASKS)
    assert (edit.words, edit.settings.source_guidance) == (False, 2.0)
    assert (shape.words, shape.settings.source_guidance) == (True, 0.0)
    assert not coloring(Request(), TASKS["image_to_shape"].layout(), SETTINGS, TASKS).words


def halves() -> Mesh:
    mesh = ball(1.0, 0.0)
    colors = np.where(mesh.vertices[:, :1] > 0, RED, BLUE).astype(np.uint8)
    return replace(mesh, colors=colors)


def test_colours_of_the_nearest_surface_are_mixed_within_a_face() -> None:
    faces = np.array([[0, 1, 2]], np.int32)
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    mesh = Mesh(vertices=corners, faces=faces, colors=np.array([RED, BLUE, BLUE], np.uint8))
    found = nearest_colors(mesh, np.array([[0.5, 0.0, 0.3], [-1.0, -1.0, 0.0]]))
    assert found.tolist() == [[100, 0, 100, 255], list(RED)]


def test_what_is_kept_keeps_its_colours_beside_what_is_drawn() -> None:
    mesh = ball(1.0, 0.0)
    kept = mesh.vertices[:, 2] > 0.1
    white = {view: np.full((32, 32, 4), 255, np.uint8) for view in VIEWS}
    out = colored(mesh, kept, halves(), white)
    assert out.colors is not None
    inner = kept & (np.abs(mesh.vertices[:, 0]) > 0.2)
    assert (out.colors[inner, 1] == 0).all()
    assert (out.colors[~kept, 1] == 200).all()  # nothing is drawn: neutral
    whole = colored(mesh, kept, halves(), {}).colors
    assert whole is not None
    assert (whole[:, 1] == 0).all()
