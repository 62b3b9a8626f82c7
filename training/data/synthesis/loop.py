"""The whole loop: prompts -> pictures -> cut-outs -> shapes -> gates -> assets that the pipeline ingests.

    made = synthesise(Path("prompts.txt"), SynthesisSettings(), Seats(), data, pool, watch)
    pipeline.results["ingest"] += made.assets  # then filter, geometry, views, captions as for any other

Every stage continues where an earlier run ended, and does nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from training.data.steps import DataError, Item, Pool, Result, Step, run
from training.data.synthesis import seats
from training.data.synthesis.augmentation import AugmentationSettings
from training.data.synthesis.gates import GateSettings
from training.data.synthesis.prompt_lists import PROMPTS, curated, prompt_items
from training.data.synthesis.prompts import CurationSettings, Prompt
from training.data.synthesis.steps import (
    CUTOUTS,
    GATES,
    PICTURES,
    SHAPES,
    CutoutSettings,
    ShapeSettings,
    item_key,
)

STAGES = (PROMPTS.name, PICTURES.name, CUTOUTS.name, SHAPES.name, GATES.name)
S = TypeVar("S")
Watch = Callable[[str, int], Callable[[Result], None]]


@dataclass(frozen=True, kw_only=True)
class Seats:
    """Who does the work, as `training.data.synthesis.seats` names it; places of this machine, not hashed."""

    pictures: str = seats.OWN
    matting: str = seats.PLAIN
    shapes: str = seats.OWN


@dataclass(frozen=True, kw_only=True)
class SynthesisSettings:
    """Settings of every stage."""

    prompts: CurationSettings = field(default_factory=CurationSettings)
    most: int = 0  # prompts used, the first of the list; 0: all
    each: int = 1  # pictures of a prompt
    pictures: AugmentationSettings = field(default_factory=AugmentationSettings)
    cutouts: CutoutSettings = field(default_factory=CutoutSettings)
    shapes: ShapeSettings = field(default_factory=ShapeSettings)
    gates: GateSettings = field(default_factory=GateSettings)

    def __post_init__(self) -> None:
        if self.most < 0 or self.each < 1:
            raise ValueError(f"most {self.most} must not be negative, each {self.each} must be positive")


@dataclass(frozen=True, kw_only=True)
class Synthesised:
    """Results of every stage, by its name."""

    results: dict[str, list[Result]]

    @property
    def assets(self) -> list[Result]:
        """Of the shapes that passed every gate, as ingest's results are."""
        passed = {result.key for result in self.results[GATES.name] if result.rejected is None}
        return [result for result in self.results[SHAPES.name] if result.key in passed]


def synthesise(
    prompts: Path, settings: SynthesisSettings, who: Seats, data: Path, pool: Pool, watch: Watch
) -> Synthesised:
    """Raises DataError where a model in a seat cannot do its work, before anything is done."""
    if missing := seats.lacking(who.pictures, who.shapes):
        raise DataError(" ".join([*missing, "Put another model, or a program, into that seat."]))
    data.mkdir(parents=True, exist_ok=True)
    return _Loop(settings, who, data, pool, watch).run(prompts)


class _Loop:
    def __init__(self, settings: SynthesisSettings, who: Seats, data: Path, pool: Pool, watch: Watch) -> None:
        self.settings, self.who, self.data, self.pool, self.watch = settings, who, data, pool, watch
        self.results: dict[str, list[Result]] = {}
        self.items: dict[str, dict[str, Item]] = {}  # of every stage, by key

    def run(self, path: Path) -> Synthesised:
        settings = self.settings
        self._each(PROMPTS, settings.prompts, prompt_items(path))
        found = curated(self.results[PROMPTS.name], self.data, settings.prompts)
        self._each(PICTURES, settings.pictures, self._pictures(list(islice(found, settings.most or None))))
        self._each(CUTOUTS, settings.cutouts, self._cutouts())
        self._each(SHAPES, settings.shapes, self._shapes())
        self._each(GATES, settings.gates, self._gates())
        return Synthesised(results=self.results)

    def _pictures(self, prompts: Sequence[Prompt]) -> list[Item]:
        model = seats.fingerprint(self.who.pictures)
        self.prompts = {
            item_key(prompt.key, number): prompt for prompt in prompts for number in range(self.settings.each)
        }
        return [
            Item(
                key=item_key(prompt.key, number),
                inputs={"prompt": prompt.prompt, "number": number, "pictures": model},
                where={"pictures": self.who.pictures},
            )
            for prompt in prompts
            for number in range(self.settings.each)
        ]

    def _cutouts(self) -> list[Item]:
        model, where = seats.fingerprint(self.who.matting), {"matting": self.who.matting}
        return [
            Item(key=result.key, inputs={"picture": result.product, "matting": model}, where=where)
            for result in self._kept(PICTURES.name)
        ]

    def _shapes(self) -> list[Item]:
        model, where = seats.fingerprint(self.who.shapes), {"shapes": self.who.shapes}
        views = {result.key: result.facts["view"] for result in self._kept(PICTURES.name)}
        items = []
        for result in self._kept(CUTOUTS.name):
            prompt = self.prompts[result.key]
            words = {"prompt": prompt.prompt, "subject": prompt.subject, "noun": prompt.noun}
            drawn = self.items[PICTURES.name][result.key].inputs["pictures"]
            made: dict[str, Any] = {"cutout": result.product, "view": views[result.key], **words}
            inputs = {**made, "pictures": drawn, "shapes": model}
            items.append(Item(key=result.key, inputs=inputs, where=where))
        return items

    def _gates(self) -> list[Item]:
        items = []
        for result in self._kept(SHAPES.name):
            source = self.items[SHAPES.name][result.key].inputs
            asset = f"{result.product}/{result.facts['assets'][0]['file']}"
            inputs = {"asset": asset, "cutout": source["cutout"], "view": source["view"]}
            items.append(Item(key=result.key, inputs=inputs))
        return items

    def _kept(self, stage: str) -> list[Result]:
        return [result for result in self.results[stage] if result.rejected is None]

    def _each(self, step: Step[S], settings: S, items: Sequence[Item]) -> None:
        self.items[step.name] = {item.key: item for item in items}
        watch = self.watch(step.name, len(items))
        self.results[step.name] = run(step, settings, items, self.data, self.pool, watch)
