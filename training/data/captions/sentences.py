"""What is measured of an asset in words: clauses that follow a comma, and whole sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.captions.colors import NamedColor
from training.data.captions.english import capitalised, listed, number
from training.data.captions.lexicon import of
from training.data.captions.measures import Measures

_LEGGED = of("table chair stool bench desk armchair couch sofa bed cabinet nightstand dresser shelf bar")
_WHEELED = of("""
    car truck bus van cart wagon tractor taxi suv sedan hatchback ambulance trailer skateboard wheelbarrow
""")
_TIMES = ((1.75, "one and a half times"), (2.25, "twice"), (2.75, "two and a half times"),
          (3.5, "three times"), (4.5, "four times"), (5.5, "five times"), (7.0, "six times"))  # fmt: skip
_PROFILES = {
    "narrows upward": ("narrowing toward the top", "narrows toward the top"),
    "widens upward": ("widening toward the top", "widens toward the top"),
    "widest in the middle": ("widest around the middle", "is widest around the middle"),
    "narrowest in the middle": ("narrowest in the middle", "is narrowest in the middle"),
    "narrow base": ("with a narrow base and a wider top", "has a narrow base and a wider upper part"),
    "wide base": ("with a wide base and a narrower top", "has a wide base and a narrower upper part"),
    "even": ("about equally wide from bottom to top", "keeps about the same width from bottom to top"),
}
Words = tuple[str, ...]


def clauses(measures: Measures, category: str | None, noun: str, rng: np.random.Generator) -> list[str]:
    """Short descriptions that may follow the thing after a comma, most telling first."""
    found = [_support(measures, category, noun, clause=True), _proportions(measures)]
    if measures.height > 0.25 and measures.profile:
        found.append(_PROFILES[measures.profile][0])
    if measures.turned:
        found.append(str(rng.choice(["round when seen from above", "the same from every side"])))
    elif measures.mirrored:
        found.append(
            str(rng.choice(["with matching left and right sides", "symmetrical from left to right"]))
        )
    found.append(_style(measures, clause=True))
    found.append("shown as a single object")
    return [text for text in found if text]


def color_clause(colors: Sequence[NamedColor], named: Sequence[str]) -> list[str]:
    """The colours as they follow a comma, of a thing whose name has none."""
    if not colors or named:
        return []
    main = [c for c in colors if c.share > 0.12][:3]
    if not main:
        return []
    if len(main) == 1:
        rest = [c.name for c in colors[1:3] if c.share > 0.03]
        return [
            f"mostly {main[0].name}" + (f" with some {listed(rest)}" if rest else "")
            if rest or colors[0].share < 0.9
            else f"{main[0].name} all over"
        ]
    return [f"colored {listed([c.name for c in main])}"]


def sentences(
    measures: Measures, category: str | None, noun: str, rng: np.random.Generator, foliage: bool
) -> list[str]:
    """Whole sentences, most telling first; all of them hold."""
    it = "the figure" if category == "character" else "it"
    found = [_coloring(measures.colors, it, rng)]
    support = _support(measures, category, noun, clause=False)
    shape = _proportions(measures)
    if shape:
        start = str(rng.choice([f"{it} is", "overall, it is", "in shape, it is"]))
        found.append(f"{start} {shape}.")
    if measures.height > 0.25 and measures.profile:
        outline = _PROFILES[measures.profile][1]
        found.append(f"seen from the front, {it} {outline}.")
    if support:
        found.append(f"{it} {support}.")
    found.append(_symmetry(measures, it, rng))
    found.append(_style(measures, clause=False))
    found.append(_pieces(measures, it))
    if not foliage:
        found.append(_places(measures.colors))
    found.append(_finish(measures, it))
    found += [
        f"{it} is modeled as a single object that stands alone, with nothing around it.",
        "no other objects, ground or background belong to the model.",
        "the whole object can be seen from every side.",
    ]
    return [capitalised(text) for text in found if text]


def _coloring(colors: Sequence[NamedColor], it: str, rng: np.random.Generator) -> str:
    seen = [c for c in colors if c.share > 0.03][:5]
    if not seen:
        return ""
    if len(seen) == 1:
        return f"its surface is {seen[0].name} all over."
    first, rest = seen[0], listed([c.name for c in seen[1:]])
    if first.share > 0.85:
        return f"nearly all of its surface is {first.name}, with small touches of {rest}."
    if first.share > 0.55:
        start = str(rng.choice([f"most of its surface is {first.name}", f"{it} is mostly {first.name}"]))
        return f"{start}, with {'smaller areas' if len(seen) > 2 else 'a smaller area'} of {rest}."
    return (
        f"its colors are mainly {first.name}, {rest}."
        if len(seen) == 2 and False
        else (
            f"its main colors are {listed([c.name for c in seen[:3]])}"
            + (f", with some {listed([c.name for c in seen[3:]])}." if len(seen) > 3 else ".")
        )
    )


def _places(colors: Sequence[NamedColor]) -> str:
    """Where two colours lie, if one is clearly above the other."""
    seen = [c for c in colors if c.share > 0.1][:2]
    if len(seen) < 2 or abs(seen[0].height - seen[1].height) < 0.33:
        return ""
    high, low = sorted(seen, key=lambda c: -c.height)
    return f"the {high.name} lies mostly in the upper part and the {low.name} in the lower part."


def _proportions(m: Measures) -> str:
    """Its sides compared, in a phrase that fits after "it is"."""
    w, d, h = m.width, m.depth, m.height
    ground = max(w, d)
    if h < 0.15 * ground:
        return "very flat and low" if min(w, d) > 0.4 * ground else "long, narrow and flat"
    if h < 0.45 * ground:
        longer = _times(ground / min(w, d))
        if min(w, d) > 0.75 * ground:
            return "much wider than it is tall"
        if longer:
            return f"low and long, about {longer} as long as it is {'deep' if w >= d else 'wide'}"
        return "low and very long"
    if min(w, d) < 0.15 * max(w, h) and d <= w:
        return _face(w, h) + " and thin from front to back"
    if min(w, d) < 0.15 * max(d, h):
        return "narrow when seen from the front"
    if h > 1.25 * ground:
        times = _times(h / ground)
        return (
            f"about {times} as tall as it is {'wide' if w >= d else 'deep'}"
            if times
            else "very tall and slender"
        )
    if min(w, d, h) > 0.85:
        return "about as tall as it is wide and deep"
    if w > 1.25 * d:
        return f"wider than it is deep and {_height(h, w)}"
    if d > 1.25 * w:
        return f"deeper than it is wide and {_height(h, d, 'deep')}"
    return "slightly taller than it is wide" if h > 1.1 * ground else _height(h, ground)


def _face(w: float, h: float) -> str:
    if h > 1.25 * w:
        times = _times(h / w)
        return f"about {times} as tall as it is wide" if times else "very tall, narrow"
    if w > 1.25 * h:
        times = _times(w / h)
        return f"about {times} as wide as it is tall" if times else "very wide, low"
    return "about as wide as it is tall"


def _height(h: float, side: float, word: str = "wide") -> str:
    if h < 0.8 * side:
        return f"lower than it is {word}"
    return f"taller than it is {word}" if h > 1.2 * side else f"about as tall as it is {word}"


def _times(ratio: float) -> str:
    """ "twice" for 2; "" where there is no good word."""
    if ratio < 1.3:
        return ""
    return next((text for limit, text in _TIMES if ratio < limit), "")


def _support(m: Measures, category: str | None, noun: str, *, clause: bool) -> str:
    """Legs and wheels, where the kind of thing has them and that many stand apart on the ground."""
    kinds = set(noun.lower().split()[-1:])
    if kinds & _LEGGED and m.feet in (3, 4, 6) and m.height > 0.2:
        return f"{'standing' if clause else 'stands'} on {number(m.feet)} legs"
    if category == "animal" and m.feet == 4:
        return f"{'standing' if clause else 'stands'} on four legs"
    if kinds & _WHEELED and m.feet in (4, 6):
        return f"{'resting' if clause else 'rests'} on {number(m.feet)} wheels"
    return ""


def _symmetry(m: Measures, it: str, rng: np.random.Generator) -> str:
    if m.turned:
        return f"{it} is round when seen from above and looks the same from every side."
    if m.mirrored:
        return str(
            rng.choice(
                [
                    "its left and right sides mirror each other.",
                    f"{it} is symmetrical, with matching left and right halves.",
                ]
            )
        )
    return ""


def _style(m: Measures, *, clause: bool) -> str:
    if m.faces < 700:
        return "in a simple low-poly style" if clause else "the style is simple and low-poly."
    return ""


def _pieces(m: Measures, it: str) -> str:
    if m.pieces == 1:
        return f"{it} is made in one connected piece."
    if m.pieces <= 12:
        return f"{it} is put together from {number(m.pieces)} separate pieces."
    return (
        f"{it} is put together from {'more than a dozen' if m.pieces < 30 else 'dozens of'} separate pieces."
    )


def _finish(m: Measures, it: str) -> str:
    if m.metallic > 0.5:
        return "the surface has a metallic finish."
    if m.metallic > 0.1:
        return "parts of the surface have a metallic finish."
    return "parts of it are see-through." if m.clear > 0.03 else ""
