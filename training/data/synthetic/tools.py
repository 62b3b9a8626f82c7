"""Things to hold, upright in the XZ plane: sword, hammer, axe, shield, key, ladder, umbrella, guitar."""

from __future__ import annotations

import numpy as np

from .assembly import Assembly, turn
from .captions import Draft, counted
from .palette import STEEL, pick, shade
from .variation import Generator, between, chance, choose, count


def sword(rng: Generator) -> Draft:
    """A sword, point up: straight or curved, broad or narrow blade, guard, grip, pommel."""
    a = Assembly()
    style = choose(rng, "straight", "straight", "curved")
    wide = choose(rng, "thick-bladed", "thin-bladed")
    w = 0.14 if wide == "thick-bladed" else 0.08
    long = choose(rng, "long", "short")
    start, tip = 0.5, (1.92 if long == "long" else 1.35)
    blade = pick(rng, "metal", "metal", "golden", "black", "blue")
    if style == "straight":
        outline = [(-w, start), (w, start), (w, tip - 0.22), (0, tip), (-w, tip - 0.22)]
    else:
        zs = np.linspace(start, tip, 9)
        bend = 0.3 * ((zs - start) / (tip - start)) ** 2
        right = [(float(b + w), float(z)) for b, z in zip(bend, zs, strict=True)]
        left = [(float(b - w), float(z)) for b, z in zip(bend, zs, strict=True)]
        outline = [*right[:-1], (float(bend[-1] + 0.1), tip + 0.04), *left[:-1][::-1]]
    a.slab("blade", (0, 0, 0), outline, 0.1, blade.color, plane="xz")
    trim = pick(rng, "golden", "metal", "black", "red")
    span = between(rng, 0.26, 0.38)
    guard = choose(rng, "straight", "round")
    if guard == "straight":
        a.box("guard", (0, 0, start), (2 * span, 0.14, 0.11), trim.color, rounding=0.03)
    else:
        a.ball("guard", (0, 0, start), (0.26, 0.2, 0.075), trim.color)
    a.rod("grip", (0, 0, 0.1), (0, 0, start), 0.065, shade((80, 50, 35), rng=rng))
    a.ball("pommel", (0, 0, 0.08), 0.11, trim.color)
    return Draft(
        parts=a.parts,
        nouns=("sword",),
        adjectives=(long, wide),
        finish=blade.word,
        details=(f"a {style} blade", f"a {guard} {trim.word} guard", "a round pommel"),
        attributes={"blade": style, "guard": guard, "length": long, "width": wide},
    )


def hammer(rng: Generator) -> Draft:
    """A hammer, head up: claw hammer, mallet or war hammer with a spike."""
    a = Assembly()
    style = choose(rng, "claw", "mallet", "spiked")
    handle = pick(rng, "wooden", "wooden", "red", "black", "yellow")
    long = choose(rng, "long", "short")
    height = 1.75 if long == "long" else 1.2
    thick = 0.08 if style != "mallet" else 0.1
    a.rod("handle", (0, 0, 0), (0, 0, height), thick * 1.15, handle.color, top=thick)
    head = pick(rng, "wooden", "metal") if style == "mallet" else pick(rng, "metal", "metal", "black")
    if style == "mallet":
        section = 0 if chance(rng) else 4
        r = between(rng, 0.24, 0.32)
        a.rod("head", (-0.48, 0, height - 0.1), (0.48, 0, height - 0.1), r, head.color, sides=section)
    elif style == "claw":
        a.box("head", (0, 0, height - 0.02), (0.3, 0.22, 0.22), head.color)
        a.rod("face", (0.1, 0, height - 0.02), (0.5, 0, height - 0.02), 0.13, head.color)
        for sy in (-1, 1):
            claw = [(-0.1, 0.09), (-0.1, -0.09), (-0.35, -0.1), (-0.56, -0.26), (-0.4, 0.03)]
            a.slab("claw", (0, sy * 0.075, height - 0.02), claw, 0.08, head.color, plane="xz")
    else:
        a.rod("head", (0, 0, height - 0.05), (0.5, 0, height - 0.05), 0.15, head.color, top=0.24, sides=4)
        a.rod(
            "spike", (-0.05, 0, height - 0.05), (-0.6, 0, height - 0.05), 0.14, head.color, top=0.0, sides=4
        )
        a.rod("top spike", (0, 0, height), (0, 0, height + 0.32), 0.09, head.color, top=0.0, sides=4)
    said = {"claw": "a claw at the back", "mallet": "a big blunt head", "spiked": "a sharp spike"}[style]
    noun = {"claw": "claw hammer", "mallet": "mallet hammer", "spiked": "war hammer"}[style]
    return Draft(
        parts=a.parts,
        nouns=("hammer", noun),
        adjectives=(f"{long}-handled",),
        finish="",
        details=(said, f"a {handle.word} handle", f"a {head.word} head"),
        attributes={"style": style, "handle": handle.word, "length": long},
    )


def axe(rng: Generator) -> Draft:
    """An axe, head up: one blade or two, curved edge."""
    a = Assembly()
    blades = count(rng, 1, 2)
    handle, head = (
        pick(rng, "wooden", "wooden", "black", "red"),
        pick(rng, "metal", "metal", "golden", "black"),
    )
    long = choose(rng, "long", "short")
    height = 1.8 if long == "long" else 1.2
    size = between(rng, 0.36, 0.5)
    a.rod("handle", (0, 0, 0), (0, 0, height), 0.075, handle.color)
    z, h = height - 0.28, size * 0.95
    for side in (1, -1)[:blades]:
        edge = [(side * (size + 0.1 * np.cos(u)), h * np.sin(u) * 0.95) for u in np.linspace(-1.3, 1.3, 9)]
        outline = [(side * 0.02, -0.12), *edge, (side * 0.02, 0.12)]
        a.slab("blade", (0, 0, z), outline, 0.1, head.color, plane="xz")
    a.box("socket", (0, 0, z), (0.24, 0.2, 0.3), shade(head.color, 0.75))
    return Draft(
        parts=a.parts,
        nouns=("axe", "battle axe") if blades == 2 else ("axe",),
        adjectives=(f"{long}-handled", "double-bladed" if blades == 2 else "single-bladed"),
        finish=head.word,
        details=(counted(blades, "blade", "curved"), f"a {handle.word} handle"),
        attributes={"blades": blades, "handle": handle.word, "length": long},
    )


def shield(rng: Generator) -> Draft:
    """A shield facing -Y: round, pointed, rectangular or kite; rim, boss or cross."""
    a = Assembly()
    shape = choose(rng, "round", "pointed", "rectangular", "oval")
    main, trim = (
        pick(rng, "red", "blue", "green", "wooden", "metal", "black", "white"),
        pick(rng, "golden", "metal"),
    )
    angles = np.linspace(0, 2 * np.pi, 33)[:-1]
    outlines = {
        "round": [(0.85 * np.cos(u), 0.85 * np.sin(u)) for u in angles],
        "oval": [(0.58 * np.cos(u), 0.92 * np.sin(u)) for u in angles],
        "rectangular": [(-0.55, -0.9), (0.55, -0.9), (0.55, 0.9), (-0.55, 0.9)],
        "pointed": [
            (-0.7, 0.85),
            (-0.7, 0.1),
            (-0.48, -0.45),
            (0, -0.95),
            (0.48, -0.45),
            (0.7, 0.1),
            (0.7, 0.85),
        ],
    }
    outline = outlines[shape]
    a.slab("rim", (0, 0, 0), outline, 0.14, trim.color, plane="xz")
    inner = [(0.84 * x, 0.86 * z) for x, z in outline]
    if shape in ("round", "oval"):
        a.ball("field", (0, 0, 0), (0.84 * outline[0][0], 0.2, 0.84 * outline[8][1]), main.color)
    else:
        a.slab("field", (0, -0.06, 0), inner, 0.2, main.color, plane="xz")
    mark = choose(rng, "boss", "cross", *([] if shape == "rectangular" else ["none"]))
    if mark == "boss":
        a.ball("boss", (0, -0.14, 0), (0.26, 0.22, 0.26), trim.color)
    elif mark == "cross":
        tall = 0.84 * max(z for _, z in outline)
        low = 0.8 * min(z for _, z in outline)
        a.box("cross", (0, -0.13, (tall + low) / 2), (0.2, 0.16, tall - low), trim.color)
        wide = 1.55 * max(x for x, z in outline if z > -0.1)
        a.box("cross", (0, -0.13, 0.15), (wide * 0.95, 0.16, 0.2), trim.color)
    said = {
        "boss": f"a {trim.word} boss in the middle",
        "cross": f"a {trim.word} cross",
        "none": "a plain face",
    }
    return Draft(
        parts=a.parts,
        nouns=("shield",),
        adjectives=(shape,),
        finish=main.word,
        details=(f"a {trim.word} rim", said[mark]),
        attributes={"shape": shape, "mark": mark},
    )


def key(rng: Generator) -> Draft:
    """A key standing on its tip: ring, trefoil or square bow, shaft, one to three teeth."""
    a = Assembly()
    bow = choose(rng, "round", "square", "trefoil")
    teeth = count(rng, 1, 3)
    finish = pick(rng, "golden", "metal", "black", "red", "brown")
    top = 1.4
    upright = turn("x", 90)
    if bow == "round":
        a.torus("bow", (0, 0, top + 0.22), 0.27, 0.085, finish.color, rotation=upright)
    elif bow == "square":
        for s in (-1, 1):
            a.box("bow side", (s * 0.27, 0, top + 0.25), (0.14, 0.15, 0.62), finish.color)
            a.box("bow bar", (0, 0, top + 0.25 + s * 0.25), (0.62, 0.15, 0.14), finish.color)
    else:
        for x, z in ((-0.22, 0.12), (0.22, 0.12), (0, 0.42)):
            a.torus("bow", (x, 0, top + z), 0.17, 0.07, finish.color, rotation=upright)
    a.rod("shaft", (0, 0, 0), (0, 0, top), 0.085, finish.color)
    a.column("collar", (0, 0, top - 0.2), 0.15, 0.12, finish.color)
    long = choose(rng, "long", "short")
    reach = 0.42 if long == "long" else 0.26
    for i in range(teeth):
        a.box("tooth", (reach / 2, 0, 0.1 + 0.24 * i), (reach, 0.12, 0.13), finish.color)
    return Draft(
        parts=a.parts,
        nouns=("key",),
        adjectives=("old",),
        finish=finish.word,
        details=(
            counted(teeth, "tooth", long) if teeth == 1 else f"{('two', 'three')[teeth - 2]} {long} teeth",
            f"a {bow} bow",
        ),
        attributes={"teeth": teeth, "bow": bow, "tooth_length": long},
    )


def ladder(rng: Generator) -> Draft:
    """A ladder: straight with counted rungs, or a stepladder that stands on four legs."""
    a = Assembly()
    style = choose(rng, "straight", "straight", "folding")
    rungs = count(rng, 3, 7)
    wide = choose(rng, "wide", "narrow")
    half = 0.42 if wide == "wide" else 0.24
    finish = pick(rng, "wooden", "wooden", "metal", "yellow", "red")
    dark = shade(finish.color, 0.8)
    top, lean = 1.9, 0.5 if style == "folding" else 0.0
    for sx in (-1, 1):
        low, high = (sx * half, -lean, 0), (sx * half, 0, top)
        a.rod("rail", low, high, 0.065, finish.color, sides=4)
        if style == "folding":
            a.rod("rail", (sx * half, lean, 0), high, 0.06, dark, sides=4)
    for i in range(rungs):
        t = (i + 0.6) / (rungs + 0.2)
        y, z = -lean * (1 - t), top * t
        if style == "folding":
            a.box("rung", (0, y, z), (2 * half, 0.18, 0.075), dark)
        else:
            a.rod("rung", (-half, y, z), (half, y, z), 0.05, dark)
    if style == "folding":
        a.box("top step", (0, 0, top), (2 * half + 0.16, 0.26, 0.09), finish.color)
        a.rod("spreader", (-half, -lean / 2, top / 2), (-half, lean / 2, top / 2), 0.04, dark)
        a.rod("spreader", (half, -lean / 2, top / 2), (half, lean / 2, top / 2), 0.04, dark)
    return Draft(
        parts=a.parts,
        nouns=("ladder",) if style == "straight" else ("folding ladder", "ladder"),
        adjectives=(wide, "straight" if style == "straight" else ""),
        finish=finish.word,
        details=(
            counted(rungs, "rung" if style == "straight" else "step"),
            "two side rails" if style == "straight" else "four rails that meet at the top",
        ),
        attributes={"rungs": rungs, "style": style, "rails": 2 if style == "straight" else 4, "width": wide},
    )


def umbrella(rng: Generator) -> Draft:
    """An open umbrella on a stick: domed or pointed canopy, round or n-sided, hooked or straight handle."""
    a = Assembly()
    color = pick(rng)
    shape = choose(rng, "domed", "pointed")
    panels = int(rng.choice([0, 6, 8]))
    handle = choose(rng, "curved", "straight")
    r, z, rise = between(rng, 0.8, 0.95), 1.3, 0.5
    if shape == "domed":
        arc = [(r * np.cos(u), rise * np.sin(u)) for u in np.linspace(0, np.pi / 2, 8)]
        arc[-1] = (0.0, rise)
    else:
        arc = [(r, 0.0), (0.0, rise)]
    inner = [(max(x - 0.13, 0.0) if h < 0.01 else x * 0.87, h * 0.8) for x, h in arc]
    inner[-1] = (0.0, arc[-1][1] - 0.12)
    a.lathe("canopy", (0, 0, z), [*arc, *inner[::-1]], color.color, sides=panels)
    a.rod("stick", (0, 0, 0.2), (0, 0, z + rise + 0.12), 0.05, (90, 70, 55))
    if handle == "curved":
        a.torus(
            "handle",
            (0.17, 0, 0.2),
            0.17,
            0.06,
            (90, 60, 40),
            arc=90,
            rotation=turn("y", 90) @ turn("x", 90) @ turn("z", 0),
        )
    else:
        a.capsule("handle", (0, 0, 0.06), (0, 0, 0.36), 0.085, (90, 60, 40))
    return Draft(
        parts=a.parts,
        nouns=("umbrella", "open umbrella"),
        adjectives=(shape,),
        finish=color.word,
        details=(
            f"a {handle} handle",
            {0: "a round canopy", 6: "a six-sided canopy", 8: "an eight-sided canopy"}[panels],
        ),
        attributes={"handle": handle, "shape": shape, "panels": panels},
    )


GUITAR_BODIES: dict[str, list[tuple[float, float]]] = {
    "acoustic": [
        (0.2, -0.42),
        (0.36, -0.32),
        (0.41, -0.14),
        (0.35, 0.04),
        (0.26, 0.14),
        (0.29, 0.27),
        (0.27, 0.4),
        (0.15, 0.5),
        (-0.15, 0.5),
        (-0.27, 0.4),
        (-0.29, 0.27),
        (-0.26, 0.14),
        (-0.35, 0.04),
        (-0.41, -0.14),
        (-0.36, -0.32),
        (-0.2, -0.42),
    ],
    "electric": [
        (0.2, -0.4),
        (0.34, -0.28),
        (0.34, -0.08),
        (0.22, 0.1),
        (0.32, 0.42),
        (0.22, 0.5),
        (0.1, 0.26),
        (-0.1, 0.26),
        (-0.2, 0.42),
        (-0.32, 0.36),
        (-0.22, 0.1),
        (-0.34, -0.08),
        (-0.34, -0.28),
        (-0.2, -0.4),
    ],
}


def guitar(rng: Generator) -> Draft:
    """A guitar standing, face to -Y: acoustic (waisted) or electric (horned) body, neck, head, pegs."""
    a = Assembly()
    style = choose(rng, "acoustic", "electric")
    finish = pick(rng, "wooden", "wooden", "red", "black", "blue", "white", "yellow")
    dark = shade((70, 45, 30), rng=rng)
    body = [(1.25 * x, 1.25 * z) for x, z in GUITAR_BODIES[style]]
    depth = 0.24 if style == "acoustic" else 0.15
    a.slab("body", (0, 0, 0.52), body, depth, finish.color, plane="xz")
    front = -depth / 2
    if style == "acoustic":
        a.rod("sound hole", (0, 0, 0.7), (0, front - 0.05, 0.7), 0.14, (45, 32, 25))
    else:
        for z in (0.36, 0.56):
            a.box("pickup", (0, front, z), (0.24, 0.1, 0.08), (35, 35, 38))
    a.box("bridge", (0, front, 0.24), (0.3, 0.14, 0.09), dark)
    a.box("neck", (0, front + 0.02, 1.15), (0.13, 0.1, 1.0), dark)
    a.box("head", (0, front + 0.03, 1.78), (0.24, 0.1, 0.28), finish.color)
    for sx in (-1, 1):
        for z in (1.71, 1.85):
            a.ball("peg", (sx * 0.15, front + 0.03, z), 0.05, STEEL)
    return Draft(
        parts=a.parts,
        nouns=("guitar", f"{style} guitar"),
        adjectives=(),
        finish=finish.word,
        details=(
            "a round sound hole" if style == "acoustic" else "two horns",
            "a long neck",
            counted(4, "tuning peg"),
        ),
        attributes={"style": style, "pegs": 4},
    )
