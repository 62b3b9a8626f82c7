"""All families, the words held out of their captions, and `generate`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import buildings, figures, furniture, plants, scenery, storage, tools, vehicles, vessels
from .captions import Draft, captions
from .objects import SyntheticObject, canonical

FAMILIES: dict[str, Callable[[np.random.Generator], Draft]] = {
    "airplane": vehicles.airplane,
    "armchair": furniture.armchair,
    "axe": tools.axe,
    "barrel": vessels.barrel,
    "bed": furniture.bed,
    "bench": furniture.bench,
    "bookshelf": storage.bookshelf,
    "bottle": vessels.bottle,
    "bowl": vessels.bowl,
    "bridge": buildings.bridge,
    "bucket": vessels.bucket,
    "cactus": plants.cactus,
    "car": vehicles.car,
    "chair": furniture.chair,
    "chest": storage.chest,
    "couch": furniture.sofa,
    "crate": storage.crate,
    "desk": storage.desk,
    "dresser": storage.cabinet,
    "fence": scenery.fence,
    "floor_lamp": scenery.floor_lamp,
    "flower": plants.flower,
    "gravestone": scenery.gravestone,
    "guitar": tools.guitar,
    "hammer": tools.hammer,
    "hat": figures.hat,
    "house": buildings.house,
    "key": tools.key,
    "ladder": tools.ladder,
    "lighthouse": buildings.lighthouse,
    "mug": vessels.mug,
    "mushroom": plants.mushroom,
    "palm": plants.palm,
    "pine": plants.pine,
    "robot": figures.robot,
    "rock": scenery.rock,
    "rocket": vehicles.rocket,
    "sailboat": vehicles.sailboat,
    "shield": tools.shield,
    "sign": scenery.sign,
    "snowman": figures.snowman,
    "stool": furniture.stool,
    "street_lamp": scenery.street_lamp,
    "sword": tools.sword,
    "table": furniture.table,
    "table_lamp": scenery.table_lamp,
    "teapot": vessels.teapot,
    "tent": buildings.tent,
    "tower": buildings.tower,
    "tree": plants.tree,
    "truck": vehicles.truck,
    "umbrella": tools.umbrella,
    "vase": vessels.vase,
    "wardrobe": storage.wardrobe,
    "wheel": scenery.wheel,
    "windmill": buildings.windmill,
}

HELD_OUT_SYNONYMS: dict[str, tuple[str, ...]] = {
    "airplane": ("aeroplane", "aircraft"),
    "axe": ("hatchet", "tomahawk"),
    "barrel": ("cask", "keg"),
    "bed": ("cot", "bunk"),
    "bookshelf": ("shelving unit",),
    "bottle": ("flask",),
    "bowl": ("basin",),
    "bridge": ("footbridge", "overpass"),
    "car": ("automobile", "motorcar"),
    "chest": ("coffer", "strongbox"),
    "couch": ("sofa", "settee"),
    "crate": ("shipping box", "packing case"),
    "desk": ("workstation", "bureau"),
    "gravestone": ("tombstone", "headstone"),
    "house": ("cottage", "home"),
    "lighthouse": ("beacon",),
    "mug": ("coffee cup", "teacup"),
    "mushroom": ("toadstool", "fungus"),
    "pine": ("fir", "conifer", "spruce"),
    "robot": ("android", "droid"),
    "rock": ("boulder",),
    "rocket": ("spaceship", "spacecraft"),
    "sailboat": ("yacht", "sailing ship"),
    "sign": ("signpost", "placard"),
    "street_lamp": ("lamppost", "streetlight"),
    "sword": ("saber", "katana"),
    "teapot": ("kettle",),
    "tower": ("turret", "keep"),
    "truck": ("lorry",),
    "umbrella": ("parasol",),
    "vase": ("urn",),
    "wardrobe": ("closet", "armoire"),
}


def generate(seed: int, family: str | None = None) -> SyntheticObject:
    """The object of a seed, of the named family or of one the seed chooses."""
    if family is not None and family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known: {', '.join(sorted(FAMILIES))}")
    rng = np.random.default_rng(seed)
    drawn = sorted(FAMILIES)[int(rng.integers(len(FAMILIES)))]
    family = family or drawn
    draft = FAMILIES[family](rng)
    return SyntheticObject(
        family=family,
        parts=canonical(tuple(draft.parts)),
        attributes=draft.attributes,
        captions=captions(draft, rng),
    )
