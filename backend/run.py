"""One request under way: words and sources are read, the sequence decoded, each segment shown as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from backend.chain import Chain
from backend.coloring import Coloring
from backend.engine import Engine
from backend.events import Coarse, Picture, PipelineEvent, Pixels, Progress, Result, Sharpening
from backend.failures import Cancelled
from backend.geometry.canonical import LONGEST_SIDE
from backend.geometry.mesh import Mesh
from backend.model.text import TextEmbeddings, TextEncoder
from backend.plan import Plan
from backend.published import published_box
from backend.results import Pictures, Shapes, Surface
from backend.sequence import Segment
from backend.sources import SourceReader, Sources
from backend.tasks import TASKS

Events = Iterator[PipelineEvent | None]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a loaded model works with; without a tokenizer, none of its modality."""

    text: TextEncoder
    engine: Engine
    editing: Engine  # of edits; the same one where the model has one transformer
    sources: SourceReader
    shapes: Shapes | None
    pictures: Pictures | None

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Each once."""
        return (self.engine,) if self.editing is self.engine else (self.engine, self.editing)


class Run:
    """The events of one request; what it made so far is kept here."""

    def __init__(self, parts: Parts, plan: Plan, cancelled: Callable[[], bool]) -> None:
        self.parts, self.plan, self.cancelled = parts, plan, cancelled
        self.clock = _Clock()
        self.pictures: list[Picture] = []
        self.surface: Surface | None = None
        self.mesh: Mesh | None = None
        self.codes: Tensor | None = None  # of the shape

    def events(self) -> Events:
        """`Result` last; None where it waits for the batch's next token. Raises Cancelled or RequestError."""
        request = self.plan.request
        yield Progress(stage="reading prompt", done=0, total=1)
        # Without words the sequence runs under the null embedding, as in training.
        text = self.parts.text.encode([request.prompt]) if request.prompt.strip() else None
        self.clock.lap("reading prompt")
        sources = Sources(codes=[])
        if self.plan.layout.prefix:
            yield Progress(stage="reading source", done=0, total=1)
            sources = self.parts.sources.read(request, self.plan.layout, self.plan.cells)
            self.clock.lap("reading source")
        box = None
        if request.box is not None:
            assert self.parts.shapes is not None, "the plan was checked"
            box = published_box(request.box, self.parts.shapes.up_axis)
        self._check()
        edits = TASKS[request.task].stage == "edit"
        engine = self.parts.editing if edits else self.parts.engine
        chain = engine.start(
            text, self.plan.layout, sources.codes, self.plan.settings, bbox=box, prompt_key=request.prompt
        )
        try:
            for number, segment in enumerate(self.plan.layout.targets):
                yield from self._tokens(chain, number, segment, sources)
                yield from self._finished(chain, number, segment, sources)
        finally:
            engine.stop(chain)
        yield from self._colors(chain, text, sources)
        tokens = None
        if self.codes is not None and sources.placement is None:  # an edit's codes lack what its mesh keeps
            tokens = self.codes.numpy().astype(np.uint16)
        yield Result(mesh=self.mesh, pictures=tuple(self.pictures), tokens=tokens, seconds=self.clock.laps)

    def _tokens(self, chain: Chain, number: int, segment: Segment, sources: Sources) -> Events:
        """Waits for each code of a target segment, with previews on the way."""
        codes, stage, seen = chain.codes[number], f"{segment.modality} tokens", 0
        while seen < len(codes):
            self._check()
            yield None
            if chain.segment != number or chain.index == seen:  # its start has not been reached yet
                continue
            seen = chain.index
            left = self.clock.left(seen, len(codes))
            yield Progress(stage=stage, done=seen, total=len(codes), seconds_left=left)
            yield from self._preview(codes, seen, number, segment, sources)
        self.clock.lap(stage)

    def _preview(
        self, codes: Tensor, seen: int, number: int, segment: Segment, sources: Sources
    ) -> Iterator[PipelineEvent]:
        if segment.modality == "image":
            assert self.parts.pictures is not None, "the plan was checked"
            image = self.parts.pictures.sharpening(codes, seen)
            if image is not None:
                yield Sharpening(image=image, view=segment.view, segment=number)
            return
        assert self.parts.shapes is not None, "the plan was checked"
        mesh = self.parts.shapes.coarse(codes, seen, sources.placement)
        if mesh is not None:
            yield Coarse(mesh=mesh)

    def _finished(self, chain: Chain, number: int, segment: Segment, sources: Sources) -> Events:
        """What a whole segment shows: its picture, or its mesh, at once even where more segments follow."""
        codes = chain.codes[number]
        if segment.modality == "image":
            assert self.parts.pictures is not None, "the plan was checked"
            image = self.parts.pictures.picture(codes)
            self.pictures.append(Picture(image=image, view=segment.view, segment=number))
            self.clock.lap("image tokens")
            yield self.pictures[-1]
            return
        yield Progress(stage="surface", done=0, total=1)
        assert self.parts.shapes is not None, "the plan was checked"
        self.codes = codes
        self.surface = self.parts.shapes.surface(codes, self.plan, sources, self._check)
        self.mesh = self.parts.shapes.placed(self.surface.mesh, sources.placement)
        self.clock.lap("surface")
        if number + 1 < len(self.plan.layout.targets) or self.plan.coloring is not None:
            yield Coarse(mesh=self.mesh)

    def _colors(self, chain: Chain, text: TextEmbeddings | None, sources: Sources) -> Events:
        """Colours of the finished mesh: from views of it where that was asked for, else from its source."""
        source = sources.shape
        given = source is not None and source.mesh is not None and source.mesh.colors is not None
        if self.surface is None or not (given or self.plan.coloring):
            return
        assert self.parts.shapes is not None, "the plan was checked"
        views = {picture.view: picture.image for picture in self.pictures if picture.view is not None}
        if self.plan.coloring is not None:
            yield from self._drawn(self.plan.coloring, chain, text, sources, views)
        else:
            views = {}
        yield Progress(stage="colour", done=0, total=1)
        mesh = self.parts.shapes.colored(self.surface, source, views)
        self.mesh = self.parts.shapes.placed(mesh, sources.placement)
        self.clock.lap("colour")

    def _drawn(
        self,
        coloring: Coloring,
        chain: Chain,
        text: TextEmbeddings | None,
        sources: Sources,
        views: dict[str, Pixels],
    ) -> Events:
        """Adds the views that colours still need, all drawn side by side."""
        assert self.codes is not None
        assert self.parts.pictures is not None, "the plan was checked"
        words = text if coloring.words else None
        key = self.plan.request.prompt if coloring.words else None
        shape = self.codes
        if sources.placement is not None:  # an edit's stand for less than its mesh, and in a smaller frame
            assert self.mesh is not None
            shape = self.parts.sources.shape(self.mesh, LONGEST_SIDE)[0].codes
        codes = {"shape": [shape], "source": sources.codes, "target": chain.codes}
        chains: list[Chain] = []
        try:
            for drawing in coloring.drawings:
                of = codes[drawing.of][drawing.number]
                chains.append(
                    self.parts.engine.start(words, drawing.layout, [of], coloring.settings, prompt_key=key)
                )
            yield from self._until_finished(chains)
        finally:
            for started in chains:
                self.parts.engine.stop(started)
        for drawing, drawn in zip(coloring.drawings, chains, strict=True):
            for segment, made in zip(drawing.layout.targets, drawn.codes, strict=True):
                assert segment.view is not None
                views[segment.view] = self.parts.pictures.picture(made)
        self.clock.lap("image tokens")

    def _until_finished(self, chains: Sequence[Chain]) -> Events:
        """Waits; progress counts the tokens of one picture after another, however many are drawn at once."""
        lengths = [len(codes) for chain in chains for codes in chain.codes]
        while not all(chain.finished for chain in chains):
            self._check()
            yield None
            done = sum(
                sum(len(codes) for codes in chain.codes[: chain.segment]) + chain.index for chain in chains
            )
            left = self.clock.left(done, sum(lengths)) if done else None
            inside = done % lengths[0] or (lengths[0] if done else 0)
            yield Progress(stage="image tokens", done=inside, total=lengths[0], seconds_left=left)

    def _check(self) -> None:
        if self.cancelled():
            raise Cancelled


class _Clock:
    """Seconds of each stage, and an honest guess of what a stage still needs."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = self.laps.get(stage, 0.0) + now - self.last
        self.last = now

    def left(self, done: int, total: int) -> float | None:
        """Seconds left of the running stage at its mean rate so far; None before there is a rate."""
        return (time.perf_counter() - self.last) / done * (total - done) if done > 3 else None
