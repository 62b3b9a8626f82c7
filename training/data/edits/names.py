"""Words for parts: what an author's object names say, and what parts of well-known things are called."""

from __future__ import annotations

import re

from training.data.assets.ingest import readable

from .phrases import singular

# Names that modelling programs give, or that say nothing to a person.
_SAY_NOTHING = frozenset(
    re.findall(
        r"\w+",
        """mesh object node group geometry geo cube cylinder sphere plane circle cone icosphere torus
        nurbs curve path polysurface psurf surface default material mat root scene part piece
        component element model bone armature empty null primitive shape solid body1 untitled obj
        lod collection instance low high poly new copy uv text merged combined joined export rig
        skin main base temp test set static asset box rectangle polygon line extrude loft""",
    )
)
_SIDES = frozenset(
    re.findall(r"\w+", "left right l r lt rt fl fr bl br rl rr upper lower inner outer front rear")
)
_LEGGED = re.compile(
    r"\b(chair|table|desk|stool|bench|bed|sofa|couch|dresser|cabinet|nightstand|piano|easel)s?\b"
)
_WHEELED = re.compile(
    r"\b(car|truck|van|bus|wagon|cart|tractor|taxi|ambulance|police|jeep|suv|sedan|hatchback|racer|kart|trailer|"
    r"wheelbarrow|firetruck|limousine|buggy|vehicle|skateboard|bike|bicycle|motorbike|motorcycle|carriage)s?\b"
)
_TREE = re.compile(r"\b(tree|palm|pine|oak|birch|willow|fir)s?\b")


def part_name(raw: str) -> str:
    """The noun of an object's name in the singular; "" where it has none: `Wheel_FL.001` is "wheel"."""
    words = [re.sub(r"\d+", "", word) for word in readable(raw).split()]
    words = [word for word in words if word.isalpha() and word not in _SIDES]
    if not 1 <= len(words) <= 3 or any(word in _SAY_NOTHING or len(word) < 3 for word in words):
        return ""
    return " ".join((*words[:-1], singular(words[-1])))


def legged(name: str) -> bool:
    return _LEGGED.search(name) is not None


def wheeled(name: str) -> bool:
    return _WHEELED.search(name) is not None


def is_tree(name: str) -> bool:
    return _TREE.search(name) is not None
