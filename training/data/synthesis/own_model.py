"""Our own pipeline in both seats: pictures by text_to_view or text_to_image, shapes by image_to_shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend import checkpoint
from backend.events import Pixels, Request, Result
from backend.failures import RequestError
from backend.jobs import run_alone
from backend.pipeline import Pipeline
from training.data.assets.asset import Rejected
from training.data.assets.reading import RawFile, RawObject
from training.data.synthesis.interface import PictureRequest, ShapeRequest

PICTURE_TASKS = ("text_to_view", "text_to_image")  # the first that a model has draws
SHAPE_TASKS = ("image_to_shape",)


class OwnModel:
    """A loaded model of ours. It is told viewpoints by its view tokens where it has them, else in words."""

    def __init__(self, pipeline: Pipeline, cells: int = 128) -> None:
        self.pipeline, self.cells = pipeline, cells
        self._views = pipeline.transformer.config.n_views > 0

    def picture(self, request: PictureRequest) -> Pixels:
        posed = request.view is not None and "text_to_view" in self.pipeline.offer.tasks
        if posed or "text_to_image" not in self.pipeline.offer.tasks:
            view, prompt = request.view or "front", request.prompt
            wanted = Request(task="text_to_view", prompt=prompt, seed=request.seed, views=(view,))
        else:
            words = self._fitting(request.words, request.prompt)
            wanted = Request(task="text_to_image", prompt=words, seed=request.seed)
        return self._result(wanted).pictures[-1].image

    def shape(self, request: ShapeRequest) -> RawFile:
        views = (request.view,) if self._views and request.view is not None else ()
        wanted = Request(
            task="image_to_shape",
            images=(request.picture,),
            image_views=views,
            seed=request.seed,
            cells=self.cells,
        )
        mesh = self._result(wanted).mesh
        assert mesh is not None, "image_to_shape makes a mesh"
        corners = None if mesh.colors is None else mesh.colors[mesh.faces]
        thing = RawObject(
            name="",
            vertices=mesh.vertices.astype(np.float64),
            faces=mesh.faces.astype(np.int64),
            uvs=None,
            colors=corners,
            materials=(),
            face_material=np.zeros(len(mesh.faces), np.int32),
        )
        return RawFile(objects=(thing,))

    def _fitting(self, *prompts: str) -> str:
        """The first that the model can read whole, else the last."""
        text = self.pipeline.offer.text
        return next((words for words in prompts if text.count_tokens(words) <= text.max_tokens), prompts[-1])

    def _result(self, request: Request) -> Result:
        try:
            *_, last = run_alone(self.pipeline, request)
        except RequestError as error:
            raise Rejected(error.code, error.message) from error
        assert isinstance(last, Result), "a run ends with its result"
        return last


def model_tasks(folder: Path) -> tuple[str, tuple[str, ...]]:
    """(a model's name, its tasks), without loading it. Raises WeightsError."""
    info, modules = checkpoint.read_config(folder)
    if "image_tokenizer" in modules:
        return info.preset, info.tasks
    pictured = {*PICTURE_TASKS, *SHAPE_TASKS}
    return info.preset, tuple(task for task in info.tasks if task not in pictured)
