"""What an instruction calls pieces: a phrase that fits them and no others, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.data.assets.asset import Asset
from training.data.captions.english import number, plural, with_article

from . import names, phrases
from .pieces import Piece, Pieces

_SHAPES = {"flat": "flat part", "long": "long part", "": "part"}
_PLACES = (("on the left", "on the right"), ("at the front", "at the back"), ("at the bottom", "on top"))
_ENDS = (("left", "right"), ("front", "back"), ("bottom", "top"))
_EXTREME = 0.3  # of the object's extent from that side: there a piece is "on top"
_CLEARLY = 0.15  # farther that way than any other that the phrase would fit
_APART = 0.12  # extent of a group along an axis that tells its members


@dataclass(frozen=True, kw_only=True)
class Called:
    """ "the red ball on top"."""

    noun: str  # singular
    adjectives: tuple[str, ...] = ()
    place: str = ""
    count: int = 1
    sure: bool  # the noun says what it is, not only what shape

    @property
    def plural(self) -> bool:
        return self.count > 1 or phrases.singular(self.noun) != self.noun

    @property
    def things(self) -> str:
        return " ".join((*self.adjectives, plural(self.noun) if self.count > 1 else self.noun))

    @property
    def the(self) -> str:
        return f"the {self.things} {self.place}".strip()

    @property
    def a(self) -> str:
        """Without its place: "a red ball", "four wheels"."""
        if self.count > 1:
            return f"{number(self.count)} {self.things}"
        return self.things if self.plural else with_article(self.things)


def front_known(asset: Asset) -> bool:
    """Whether left, right, front and back of it can be trusted."""
    return not asset.provenance.get("front_status", "").startswith("unknown")


def call_group(pieces: Pieces, group: Sequence[int]) -> Called | None:
    """Of all members together."""
    members = [pieces.pieces[i] for i in group]
    noun = _known_noun(pieces, members)
    if noun:
        exact = [m for m in members if m.name == noun]
        count = len(exact) if exact or not members[0].name else 1
        return Called(noun=noun, count=count or len(members), sure=True)
    others = [pieces.pieces[i] for i in pieces.others(group)]
    shape = members[0].shape
    color = members[0].color
    plain = Called(noun=_SHAPES.get(shape, shape), count=len(members), sure=False)
    tints = ((), (color,)) if color else ((),)
    places = ("", *_places(pieces, members))
    for place in places:
        for tint in sorted(tints, key=len, reverse=bool(place) and color is not None):
            if plain.noun == "part" and not (tint or place):
                continue
            rivals = [o for o in others if _fits(o, plain.noun, shape, tint)]
            if not rivals or (place and _clear(pieces, members, rivals, place)):
                return replace(plain, adjectives=tint, place=place)
    return None


def call_member(pieces: Pieces, group: Sequence[int], member: int) -> Called | None:
    """Of one of several alike: "the front left wheel"."""
    whole = call_group(pieces, group)
    centers = np.array([pieces.pieces[i].center for i in group])
    if whole is None or len({pieces.pieces[i].name for i in group}) > 1:
        return None
    words = [_ends(pieces, centers, i) for i in range(len(group))]
    own = words[list(group).index(member)]
    if not own or words.count(own) > 1:
        return None
    return replace(whole, count=1, adjectives=(*own, *whole.adjectives))


def where(pieces: Pieces, chosen: Sequence[int]) -> str:
    """The clearest place of the pieces on the object; "" where they are in its middle."""
    return next(iter(_places(pieces, [pieces.pieces[i] for i in chosen])), "")


def _known_noun(pieces: Pieces, members: Sequence[Piece]) -> str:
    """The authors' name, or one that the object's own name and the look of the piece make certain."""
    named = [member.name for member in members if member.name]
    if named:
        shortest = min(named, key=len)
        return shortest if len(set(named)) == 1 or shortest.count(" ") == 0 else shortest.split()[0]
    name, (low, high) = pieces.asset.name, pieces.box
    bottom = min(float(member.box[0][2]) for member in members)
    touches_ground = bottom < low[2] + 0.03
    one = members[0]
    if names.wheeled(name) and len(members) >= 2 and one.shape in ("disc", "cylinder"):
        lying = one.sides[2] > 0.9 * max(one.sides[:2]) and bottom < low[2] + 0.25 * (high[2] - low[2])
        return "wheel" if lying else ""
    if names.legged(name) and len(members) in (3, 4) and touches_ground:
        return "leg" if one.sides[2] > 1.2 * max(one.sides[:2]) else ""
    if names.is_tree(name) and len(members) == 1:
        wide = max(one.sides[:2]) / max(float(max(high[:2] - low[:2])), 1e-9)
        if one.color == "brown" and touches_ground and wide < 0.7:
            return "trunk"
        leafy = [piece for piece in pieces.pieces if piece.color == "green"]
        return "leaves" if leafy == [one] and one.box[1][2] > high[2] - 0.05 else ""
    return ""


def _fits(piece: Piece, noun: str, shape: str, tint: Sequence[str]) -> bool:
    """Whether somebody could take this piece to be meant; doubt counts as yes."""
    colored = not tint or piece.color is None or piece.color == tint[0]
    return colored and (noun == "part" or piece.shape in (shape, ""))


def _relative(pieces: Pieces, members: Sequence[Piece]) -> NDArray[np.float64]:
    """(3,) in 0..1 of the object's box."""
    low, high = pieces.box
    middle = np.mean([member.center for member in members], axis=0)
    place: NDArray[np.float64] = (middle - low) / np.maximum(high - low, 1e-9)
    return place


def _places(pieces: Pieces, members: Sequence[Piece]) -> list[str]:
    at, sides = _relative(pieces, members), pieces.box[1] - pieces.box[0]
    found = []
    for axis in (2, 0, 1):
        if sides[axis] < 0.3 or (axis < 2 and not front_known(pieces.asset)):
            continue
        if at[axis] < _EXTREME:
            found.append(_PLACES[axis][0])
        elif at[axis] > 1 - _EXTREME:
            found.append(_PLACES[axis][1])
    return found


def _clear(pieces: Pieces, members: Sequence[Piece], rivals: Sequence[Piece], place: str) -> bool:
    axis, end = next((a, e) for a, both in enumerate(_PLACES) for e, word in enumerate(both) if word == place)
    sign = 2 * end - 1
    own = sign * _relative(pieces, members)[axis]
    return all(own > sign * _relative(pieces, [rival])[axis] + _CLEARLY for rival in rivals)


def _ends(pieces: Pieces, centers: NDArray[np.float64], member: int) -> tuple[str, ...]:
    spread = np.ptp(centers, axis=0)
    offset = centers[member] - (centers.min(axis=0) + centers.max(axis=0)) / 2
    words = []
    for axis in (2, 1, 0):
        known = axis == 2 or front_known(pieces.asset)
        if known and spread[axis] > _APART and abs(offset[axis]) > 0.35 * spread[axis]:
            words.append(_ENDS[axis][int(offset[axis] > 0)])
    return tuple(words)
