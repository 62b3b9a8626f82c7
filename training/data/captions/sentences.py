"""What is measured of an asset in words: clauses that follow a comma, and whole sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.captions.colors import NamedColor
from training.data.captions.english import capitalised, listed, number
from training.data.captions.lexicon import of
from training.data.captions.measures import Measures
from training.data.captions.names import NounPhrase
from training.data.captions.uses import use_of

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
    found.append("put together from several separate pieces" if measures.pieces > 3 else "as a single object")
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
    measures: Measures, category: str | None, phrase: NounPhrase, rng: np.random.Generator, *, foliage: bool
) -> list[str]:
    """Whole sentences, most telling first; all of them hold."""
    it = "the figure" if category == "character" else "it"
    use = use_of(phrase.noun, category)
    support = _support(measures, category, phrase.noun, clause=False)
    start = str(rng.choice([f"{it} is", f"overall, {it} is", f"in shape, {it} is"]))
    profile = _PROFILES[measures.profile][1] if measures.height > 0.25 and measures.profile else ""
    found = [
        use,
        _coloring(measures.colors, it, rng),
        "" if foliage or measures.height < 0.2 else _places(measures.colors),
        f"{start} {_proportions(measures)}.",
        f"{it} {support}." if support else "",
        f"{it} {profile}." if profile else "",
        _symmetry(measures, it, rng),
        _surfaces(measures, rng),
        _finish(measures, it),
        _openness(measures, it),
        _style(measures, clause=False),
        _balance(measures),
        "the front and the back look alike in shape."
        if measures.alike_behind and measures.mirrored and not measures.turned
        else "",
        _pieces(measures, it),
        _plan(measures, it),
        _sides(measures),
        "the model shows this one object and nothing else.",
    ]
    return [capitalised(text) for text in found if text]


def _surfaces(m: Measures, rng: np.random.Generator) -> str:
    if m.boxy > 0.85:
        return str(
            rng.choice(
                [
                    "nearly all of its faces are flat and meet at right angles.",
                    "it has a boxy build with flat sides and square corners.",
                ]
            )
        )
    if m.directions > 60:
        return str(
            rng.choice(
                ["its surfaces are mostly curved and rounded.", "the shape is rounded, with few flat sides."]
            )
        )
    if m.directions < 16:
        return "it is built from flat faces with hard edges."
    return ""


def _openness(m: Measures, it: str) -> str:
    if m.fill > 0.95:
        return "its outline fills a plain rectangle when seen from the front."
    if m.fill < 0.4:
        return f"seen from the front, {it} leaves much of the space around it open."
    return ""


def _balance(m: Measures) -> str:
    if m.balance > 0.62:
        return "most of its surface lies in the upper half."
    return "most of its surface lies in the lower half." if m.balance < 0.36 else ""


def _plan(m: Measures, it: str) -> str:
    if m.width > 1.15 * m.depth:
        return f"seen from above, {it} is wider from side to side than from front to back."
    if m.depth > 1.15 * m.width:
        return f"seen from above, {it} is longer from front to back than from side to side."
    return f"seen from above, {it} is about as wide as it is deep."


def _sides(m: Measures) -> str:
    """Width, depth and height as small whole numbers."""
    sides = [max(round(10 * side), 1) for side in (m.width, m.depth, m.height)]
    ratio = " to ".join(str(side) for side in sides)
    return f"its width, depth and height relate roughly as {ratio}."


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
    more = f", with some {listed([c.name for c in seen[3:]])}." if len(seen) > 3 else "."
    return f"its main colors are {listed([c.name for c in seen[:3]])}{more}"


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
    if h < 0.45 * ground:
        return _low(w, d, h)
    if d < 0.15 * max(w, h):
        return f"{_face(w, h)} and thin from front to back"
    if w < 0.15 * max(d, h):
        return "narrow when seen from the front"
    if h > 1.3 * ground:
        times = _times(h / ground)
        said = f"about {times} as tall as it is {'wide' if w >= d else 'deep'}"
        return said if times else "very tall and slender"
    return _compared(w, d, h)


def _low(w: float, d: float, h: float) -> str:
    ground, across = max(w, d), min(w, d)
    if across > 0.6 * ground:
        return "very flat" if h < 0.15 * ground else "much wider than it is tall"
    times = _times(ground / across)
    long = f"about {times} as {'wide' if w >= d else 'deep'} as it is {'deep' if w >= d else 'wide'}"
    flat = "flat" if h < 0.15 * ground else "low"
    return f"{flat} and {long}" if times else f"{flat}, long and narrow"


def _compared(w: float, d: float, h: float) -> str:
    """Three sides that are not far apart."""
    sides = sorted(((w, "wide"), (d, "deep"), (h, "tall")), reverse=True)
    (a, first), (b, second), (c, third) = sides
    if c > 0.85 * a:
        return "about as tall as it is wide and deep"
    if a > 1.18 * b:
        more = {"wide": "wider", "deep": "deeper", "tall": "taller"}[first]
        return f"{more} than it is {second} or {third}"
    less = {"wide": "narrower", "deep": "shallower from front to back", "tall": "lower"}[third]
    return f"about as {first} as it is {second}, but {less}"


def _face(w: float, h: float) -> str:
    if h > 1.3 * w:
        times = _times(h / w)
        return f"about {times} as tall as it is wide" if times else "very tall, narrow"
    if w > 1.3 * h:
        times = _times(w / h)
        return f"about {times} as wide as it is tall" if times else "very wide, low"
    return "about as wide as it is tall"


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
    return f"{it} is symmetrical, with two matching sides." if m.alike_behind else ""


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
