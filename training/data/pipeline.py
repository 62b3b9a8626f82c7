"""The whole pipeline: which step feeds which (paper, section 3).

    sources -> ingest -> filter -> duplicates -> geometry -> views -> captions
    prompts -> synthesis --^                                     `-> edits -> edit_geometry
    images  -> pictures                                                                      all -> shards

An asset that a step rejects goes no further; an asset of which no edit can be made keeps everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from training.data.assets import steps as assets
from training.data.assets.asset import SUFFIX
from training.data.assets.duplicates import DuplicateSettings
from training.data.assets.ingest import IngestSettings
from training.data.captions.step import CAPTIONS, CaptionSettings, more_inputs
from training.data.edits.settings import EditSettings
from training.data.edits.step import EDITS
from training.data.filtering import FilterSettings
from training.data.geometry.settings import GeometrySettings
from training.data.geometry.step import GEOMETRY
from training.data.rendering.step import VIEWS, ViewSettings
from training.data.shards.pack import ShardSettings, pack, rows_of
from training.data.shards.pictures import PICTURES, PictureSettings, picture_items
from training.data.steps import Item, Pool, Result, Step, run
from training.data.synthesis.loop import Seats, SynthesisSettings, synthesise

STEPS = (
    "ingest",
    "filter",
    "duplicates",
    "geometry",
    "views",
    "captions",
    "edits",
    "edit_geometry",
    "pictures",
    "shards",
)
S = TypeVar("S")
Watch = Callable[[str, int], Callable[[Result], None]]


@dataclass(frozen=True, kw_only=True)
class PipelineSettings:
    """Settings of every step, by its name."""

    synthesis: SynthesisSettings = field(default_factory=SynthesisSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    filter: FilterSettings = field(default_factory=FilterSettings)
    duplicates: DuplicateSettings = field(default_factory=DuplicateSettings)
    geometry: GeometrySettings = field(default_factory=GeometrySettings)
    views: ViewSettings = field(default_factory=ViewSettings)
    captions: CaptionSettings = field(default_factory=CaptionSettings)
    edits: EditSettings = field(default_factory=EditSettings)
    pictures: PictureSettings = field(default_factory=PictureSettings)
    shards: ShardSettings = field(default_factory=ShardSettings)


@dataclass
class Pipeline:
    """One data folder and what runs on it; `results` fills step by step."""

    sources: Sequence[str]  # of 3D assets
    data: Path
    settings: PipelineSettings
    pool: Pool
    watch: Watch
    images: Path | None = None  # folder of pictures with captions
    prompts: Path | None = None  # list of prompts to make assets of
    seats: Seats = field(default_factory=Seats)  # who makes them
    local: Mapping[str, Any] = field(default_factory=dict)  # what steps find on this machine: Item.where
    results: dict[str, list[Result]] = field(default_factory=dict)

    def run(self, until: str = STEPS[-1]) -> dict[str, list[Result]]:
        """Results of every step up to `until`, by its name. Raises DataError when it cannot go on."""
        self.data.mkdir(parents=True, exist_ok=True)
        for name in STEPS[: STEPS.index(until) + 1]:
            work: Callable[[], list[Result]] = getattr(self, f"_{name}")
            self.results[name] = work()
        return self.results

    def _ingest(self) -> list[Result]:
        settings = self.settings.ingest
        items = assets.ingest_items(self.sources, self.data, settings)
        made = self._each(assets.INGEST, settings, items)
        if self.prompts is not None:
            synthesis = self.settings.synthesis
            found = synthesise(self.prompts, synthesis, self.seats, self.data, self.pool, self.watch)
            self.results |= found.results
            made += found.assets
        return made

    def _filter(self) -> list[Result]:
        return self._each(assets.FILTER, self.settings.filter, assets.asset_items(self.results["ingest"]))

    def _duplicates(self) -> list[Result]:
        comparison = assets.comparison(self.results["ingest"], self.results["filter"])
        (found,) = self._each(assets.DUPLICATES, self.settings.duplicates, [comparison])
        return assets.compared(found, self.results["filter"], self.data)

    def _geometry(self) -> list[Result]:
        return self._each(GEOMETRY, self.settings.geometry, self._kept("duplicates"))

    def _views(self) -> list[Result]:
        return self._each(VIEWS, self.settings.views, self._kept("geometry"))

    def _captions(self) -> list[Result]:
        read = ["geometry"] if self.settings.captions.captioner == "rules" else ["geometry", "views"]
        made = {step: {result.key: result.product for result in self.results[step]} for step in read}
        more = more_inputs(self.settings.captions)
        items = [
            replace(item, inputs={**item.inputs, **more, **{step: made[step][item.key] for step in read}})
            for item in self._kept("views")
        ]
        return self._each(CAPTIONS, self.settings.captions, items)

    def _edits(self) -> list[Result]:
        return self._each(EDITS, self.settings.edits, self._kept("views"))

    def _edit_geometry(self) -> list[Result]:
        """Both sides of every pair whose shape changes; sides of one shape are sampled once."""
        sides = list(_sides(self.results["edits"]))
        known = {(result.key, _shape(result.key)): result for result in self.results["geometry"]}
        new = {side.shape: side for side in reversed(sides) if side.shape not in known}
        items = [Item(key=side.name, inputs={"asset": side.file}) for side in new.values()]
        made = self._each(GEOMETRY, self.settings.geometry, items, name="edit_geometry")
        known |= dict(zip(new, made, strict=True))
        return [
            known[side.shape] if new.get(side.shape) == side else _again(known[side.shape], side.name)
            for side in sides
        ]

    def _pictures(self) -> list[Result]:
        if self.images is None:
            return []
        return self._each(PICTURES, self.settings.pictures, picture_items(self.images))

    def _shards(self) -> list[Result]:
        kept = {item.key: str(item.inputs["asset"]) for item in self._kept("views")}
        rows = rows_of(self.results, kept)
        made = pack(self.data, rows, self.settings.shards, self.pool, self.watch)
        return [result for results in made.values() for result in results]

    def _kept(self, step: str) -> list[Item]:
        """The assets that this step and all before it let pass."""
        passed = {result.key for result in self.results[step] if result.rejected is None}
        return [item for item in assets.asset_items(self.results["ingest"]) if item.key in passed]

    def _each(
        self, step: Step[S], settings: S, items: Sequence[Item], name: str | None = None
    ) -> list[Result]:
        here = [replace(item, where={**item.where, **self.local}) for item in items]
        return run(step, settings, here, self.data, self.pool, self.watch(name or step.name, len(items)))


class _Side(NamedTuple):
    name: str  # asset/pair-source or -target
    shape: tuple[str, str]  # equal for sides of one asset with one surface in one frame
    file: str


def _sides(edits: Sequence[Result]) -> Iterator[_Side]:
    for result in edits:
        for number, pair in enumerate(result.facts.get("pairs", ())):
            for side, key in zip(("source", "target"), pair["keys"], strict=True):
                if pair["geometry_changes"]:
                    name = f"{number}-{side}"
                    file = f"{result.product}/{name}{SUFFIX}"
                    yield _Side(f"{result.key}/{name}", (result.key, _shape(key)), file)


def _again(result: Result, key: str) -> Result:
    """What an equal side costs: nothing."""
    return replace(result, key=key, seconds=0.0, cpu_seconds=0.0, bytes=0)


def _shape(key: str) -> str:
    """What assets of the same surface in the same place share."""
    return key.partition("-")[0]
