"""The tasks a job may name and what each takes. Which of them a model can do, its capabilities say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .errors import ProtocolError

VIEWS = ("front", "back", "left", "right", "top", "bottom")
InputKind = Literal["mesh", "tokens", "image"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a task takes besides its settings; a pair is the least and the most."""

    words: bool = False  # it needs a prompt; the others take one if there is one
    shape: bool = False  # a source shape: its mesh or its tokens
    images: tuple[int, int] = (0, 0)  # source images
    image_views: tuple[int, int] = (0, 0)
    views: tuple[int, int] = (0, 0)  # views wanted


ONE, MANY = (1, 1), (1, len(VIEWS))

TASKS: dict[str, Task] = {
    "text_to_image": Task(words=True),
    "text_to_shape": Task(words=True),
    "image_to_shape": Task(images=ONE, image_views=(0, 1)),
    "shape_to_image": Task(shape=True),
    "image_to_view": Task(images=ONE, image_views=(0, 1), views=ONE),
    "shape_to_view": Task(shape=True, views=ONE),
    "text_to_view": Task(words=True, views=ONE),
    "text_to_image_shape": Task(words=True),
    "text_to_shape_view": Task(words=True, views=ONE),
    "views_to_shape": Task(images=MANY, image_views=MANY),
    "shape_to_views": Task(shape=True, views=MANY),
    # its image_views are drawn before the shape, its views after it
    "text_to_views_shape_views": Task(words=True, image_views=MANY, views=(0, len(VIEWS) - 1)),
    "edit_shape": Task(words=True, shape=True),
}


def check_inputs(name: str, inputs: tuple[InputKind, ...], n_blobs: int) -> None:
    """The files a job comes with are those its task takes, the shape first. Raises ProtocolError."""
    task = TASKS[name]
    if len(inputs) != n_blobs:
        raise ProtocolError(
            "bad_option", f"The job declares {len(inputs)} files and names {n_blobs}.", field="inputs"
        )
    images = inputs.count("image")
    if len(inputs) - images != int(task.shape):
        wanted = "one source shape" if task.shape else "no source shape"
        raise ProtocolError("bad_option", f"{name} takes {wanted}.", field="inputs")
    _check_count(name, "images", images, task.images, field="inputs")
    if task.shape and inputs[0] == "image":
        raise ProtocolError("bad_option", "The source shape comes before the images.", field="inputs")


def check_views(name: str, images: int, image_views: tuple[str, ...], views: tuple[str, ...]) -> None:
    """The views of the images and those wanted are known, differ and are as many as the task takes.

    Raises ProtocolError.
    """
    task = TASKS[name]
    for field, named in (("image_views", image_views), ("views", views)):
        unknown = [view for view in named if view not in VIEWS]
        if unknown:
            raise ProtocolError("bad_option", f"There is no view {unknown[0]!r:.30}.", field=field)
    both = (*image_views, *views)
    if len(set(both)) < len(both):
        raise ProtocolError("bad_option", "A view is named twice.", field="views")
    _check_count(name, "views of images", len(image_views), task.image_views, field="image_views")
    _check_count(name, "views", len(views), task.views, field="views")
    if images and image_views and len(image_views) != images:
        raise ProtocolError("bad_option", "Each image needs its own view.", field="image_views")


def _check_count(name: str, what: str, count: int, allowed: tuple[int, int], *, field: str) -> None:
    least, most = allowed
    if not least <= count <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ProtocolError("bad_option", f"{name} takes {wanted} {what}, not {count}.", field=field)
