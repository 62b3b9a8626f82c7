"""Procedural captioned 3D objects: exact occupancy, distance, surface samples and meshes from a seed."""

from .captions import HELD_OUT_ADJECTIVES
from .catalog import FAMILIES, HELD_OUT_SYNONYMS, generate
from .objects import Part, SyntheticObject

__all__ = ["FAMILIES", "HELD_OUT_ADJECTIVES", "HELD_OUT_SYNONYMS", "Part", "SyntheticObject", "generate"]
