"""Words to be judged by and, of those that were said of a real shape, that shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.shards.dataset import Dataset
from training.data.synthetic import FAMILIES, generate
from training.evaluation.novelty import ShapeSet, read_shapes
from training.evaluation.prompt_set import Prompt
from training.evaluation.scorers.interface import POINTS, Cloud

FIRST_SEED = 40_000_000  # of held-out procedural objects; neither generators nor judges learn from these


@dataclass(frozen=True, kw_only=True)
class Case:
    """Words, and a real shape that they were said of, where there is one."""

    text: str
    group: str
    real: Cloud | None = None


def of_prompts(prompts: Sequence[Prompt]) -> list[Case]:
    return [Case(text=prompt.text, group=prompt.group) for prompt in prompts]


def held_out(data: Path | None, count: int, seed: int = 0) -> list[Case]:
    """Captions of real shapes that no model was trained on, each text once.

    Half are procedural objects of seeds of their own, the families in turn; half are shapes of the data's
    test split, where there is one.
    """
    tested = data is not None and Dataset(data).rows("shapes", "test") > 0
    cases = _procedural(count - count // 2 if tested else count, seed)
    if data is not None and tested:
        cases += _of_split(read_shapes(data, "test"), count - len(cases), seed)
    return list({case.text: case for case in cases}.values())


def _procedural(count: int, seed: int) -> list[Case]:
    families = np.random.default_rng((seed, 1)).permutation(sorted(FAMILIES))
    cases = []
    for number in range(count):
        family = str(families[number % len(families)])
        rng = np.random.default_rng((seed, FIRST_SEED + number))
        shape = generate(FIRST_SEED + number, family)
        points, _, colors = shape.sample_surface(POINTS, rng)
        text = shape.captions[len(shape.captions) // 2]  # shortest first, so one of middle length
        cases.append(Case(text=text, group="procedural", real=Cloud(points=points, colors=colors)))
    return cases


def _of_split(shapes: ShapeSet, count: int, seed: int) -> list[Case]:
    rows = np.random.default_rng((seed, 2)).permutation(len(shapes))[:count]
    return [
        Case(text=shapes.captions[row], group="corpus", real=Cloud(points=shapes.cloud(row))) for row in rows
    ]
