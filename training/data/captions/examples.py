"""Short captions as people write them, shown to a model a few at a time so that its own vary as theirs do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

_OWN = """
building: little red barn | stone watch tower with a pointy roof | an old wooden hut | two story town house
building: medieval windmill | small corner shop | castle keep | ruined temple
building part: a brick wall with a round window | wooden double door | stone staircase | gable roof, red tiles
building part: iron fence | marble column | broken wall | arched doorway
vehicle: yellow taxi | a tiny sailboat | sci-fi fighter ship, blue and gray | old steam engine
vehicle: pickup truck | race car with big spoiler | wooden cart | police van
furniture: comfy armchair | a round coffee table | tall bookcase full of books | simple bed, blue blanket
furniture: bar stool | wooden bench | desk with two drawers | leather couch
plant: pine tree | a bushy green shrub | cactus in a clay pot | bare winter tree
plant: red mushroom | sunflower | potted fern | palm with long leaves
food: slice of cheese pizza | a juicy burger | red apple | cupcake with pink icing
food: loaf of bread | carrot | bottle of ketchup | sushi roll
animal: brown bear | a fat orange cat | little fish with stripes | cartoon dog sitting
animal: angry snake | white horse | frog | seagull
character: a knight in shining armor | skeleton | man in a blue suit | green goblin
character: astronaut | old wizard with a staff | zombie | girl in red dress
weapon: wooden bow | a long sword with golden handle | laser pistol | double axe
weapon: sniper rifle | round shield | spear | rusty dagger
container: treasure chest, open | a wooden crate | clay jar | trash can
container: blue glass bottle | barrel | cardboard box | metal bucket
tool: claw hammer | garden shovel | wrench | small hand saw
light: street lamp | old lantern | burning torch | table lamp, white shade
rock: mossy rock | a pile of stones | pink crystal | tall cliff
object: gold coin | open book | traffic cone | a stop sign | chess pawn | alarm clock | guitar
"""


@dataclass(frozen=True)
class Examples:
    """(category, caption) rows."""

    rows: tuple[tuple[str, str], ...]

    def draw(self, category: str, count: int, rng: np.random.Generator) -> list[str]:
        """Captions of the category, and of any other where it has too few."""
        wanted = set(category.lower().replace("_", " ").split())
        own = [text for kind, text in self.rows if wanted & set(kind.split())]
        others = [text for kind, text in self.rows if not wanted & set(kind.split())]
        return [*_some(own, count, rng), *_some(others, count - min(count, len(own)), rng)]


def _some(texts: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    return [texts[index] for index in rng.permutation(len(texts))[:count]]


@lru_cache(maxsize=1)
def own_examples() -> Examples:
    """A few of each kind, written for this."""
    lines = [line.split(":", 1) for line in _OWN.strip().splitlines()]
    return Examples(tuple((kind, text.strip()) for kind, texts in lines for text in texts.split("|")))


@lru_cache(maxsize=1)
def read_examples(path: Path) -> Examples:
    """A file of lines {"category": ..., "caption": ...}. Raises ValueError that names the line."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            rows.append((str(row["category"]).lower().replace("_", " "), str(row["caption"])))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not a category and a caption ({error})") from error
    if not rows:
        raise ValueError(f"{path} holds no captions")
    return Examples(tuple(rows))
