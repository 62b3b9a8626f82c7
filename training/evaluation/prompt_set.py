"""The hundred prompts of the text-to-shape table: four groups of 25, as in the paper (section 6).

Written before any model was judged by them and not tuned to results. Categories and fine-grained prompts name
things that procedural families and asset packs hold; styles and compositions ask for more than that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CATEGORIES = (
    "a chair",
    "a table",
    "a bookshelf",
    "a bed",
    "a couch",
    "a teapot",
    "a mug",
    "a vase",
    "a bottle",
    "a barrel",
    "a house",
    "a castle tower",
    "a windmill",
    "a bridge",
    "a tent",
    "a pine tree",
    "a palm tree",
    "a cactus",
    "a mushroom",
    "a car",
    "a truck",
    "an airplane",
    "a sailboat",
    "a sword",
    "a robot",
)
STYLES = (
    "a low poly pine tree",
    "a cartoon mushroom with a fat stem",
    "a medieval wooden chair",
    "a futuristic rocket",
    "a rustic wooden barrel",
    "a minimalist white table",
    "an old-fashioned street lamp",
    "a toy airplane",
    "a voxel style tree",
    "a stylized treasure chest",
    "a fantasy sword with a golden guard",
    "a modern black office desk",
    "an ancient stone tower",
    "a cute little robot",
    "a cozy red armchair",
    "an ornate golden vase",
    "a steampunk lamp",
    "a simple game asset of a crate",
    "a toy pickup truck",
    "a Japanese style bridge",
    "a rough mossy rock",
    "a blocky cartoon car",
    "a pirate's treasure chest",
    "an elegant wine bottle",
    "a haunted house with a crooked roof",
)
COMPOSITIONS = (
    "a table with a vase on top",
    "a bookshelf full of books",
    "a desk with a computer monitor on it",
    "a bed with two pillows and a blanket",
    "a cactus in a clay pot",
    "a snowman wearing a hat",
    "a house with a tree next to it",
    "a mug standing on a plate",
    "a barrel with a lantern on it",
    "a sword stuck in a rock",
    "a tower with a flag on top",
    "a truck carrying crates",
    "a robot holding a shield",
    "a flower in a tall vase",
    "a bench under a street lamp",
    "a sailboat with two sails and a cabin",
    "a windmill on a stone base",
    "a chest with its lid open and gold inside",
    "a chair with a cushion on its seat",
    "a lighthouse standing on rocks",
    "a fence with an open gate",
    "a hammer lying on an anvil",
    "a guitar leaning on a stool",
    "a tent beside a campfire",
    "a stack of three crates",
)
FINE_GRAINED = (
    "a stool with three legs",
    "a stool with four legs",
    "a chair with a tall back and no arms",
    "a chair with two arms and a low back",
    "a round table with a single central leg",
    "a square table with four legs",
    "a tall narrow bookshelf with five shelves",
    "a low wide bookshelf with two shelves",
    "a dresser with three drawers",
    "a wardrobe with two doors",
    "a teapot with a long spout and a round handle",
    "a bottle with a long thin neck",
    "a vase with two handles",
    "a bucket with a curved handle",
    "a double-bladed axe with a long handle",
    "a hammer with a short handle",
    "a key with two teeth",
    "a round shield with a boss in the middle",
    "a ladder with six rungs",
    "a wheel with eight spokes",
    "a rocket with three fins",
    "a two-story house with a chimney",
    "a robot with a square head and an antenna",
    "a street lamp with two arms",
    "a couch with three seat cushions",
)


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One of the hundred."""

    text: str
    group: str


GROUPS = {
    "object categories": CATEGORIES,
    "styles": STYLES,
    "compositional": COMPOSITIONS,
    "fine-grained": FINE_GRAINED,
}
HUNDRED = tuple(Prompt(text=text, group=group) for group, texts in GROUPS.items() for text in texts)


def drawn(count: int, seed: int = 0, prompts: tuple[Prompt, ...] = HUNDRED) -> tuple[Prompt, ...]:
    """So many, drawn by a seed so that nobody picks them, in the order of the list."""
    chosen = np.random.default_rng(seed).choice(len(prompts), min(count, len(prompts)), replace=False)
    return tuple(prompts[index] for index in sorted(chosen))
