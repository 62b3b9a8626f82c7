"""Places: house, castle tower, tent, windmill, bridge, lighthouse."""

from __future__ import annotations

import numpy as np

from .assembly import Assembly, ring, turn
from .captions import Draft, counted
from .palette import DARK, Color, pick, shade
from .variation import Generator, between, chance, choose, count

WINDOW: Color = (120, 165, 195)


def house(rng: Generator) -> Draft:
    """A house: one or two storeys, gabled, hipped or flat roof, door, windows, perhaps a chimney."""
    a = Assembly()
    floors = count(rng, 1, 2)
    shape = choose(rng, "narrow", "wide", "")
    width = {"narrow": 0.85, "wide": 1.75, "": 1.3}[shape]
    depth, storey = between(rng, 0.9, 1.1), 0.58
    height = storey * floors
    wall = pick(rng, "white", "brick", "wooden", "stone", "yellow", "blue", "red")
    roof, color = (
        choose(rng, "gabled", "gabled", "hipped", "flat"),
        pick(rng, "red", "brown", "gray", "blue", "black"),
    )
    a.box("walls", (0, 0, height / 2), (width, depth, height), wall.color)
    rise, over = between(rng, 0.45, 0.6), 0.12
    x, y = width / 2 + over, depth / 2 + over
    if roof == "gabled":
        a.slab("roof", (0, 0, height - 0.01), [(-x, 0), (x, 0), (0, rise)], 2 * y, color.color, plane="xz")
    elif roof == "hipped":
        ridge = max(0.0, x - y) + 0.02
        corners = [(s * x, t * y, 0.0) for s in (-1, 1) for t in (-1, 1)]
        a.hull("roof", [*corners, (-ridge, 0, rise), (ridge, 0, rise)], color.color, at=(0, 0, height - 0.01))
    else:
        a.box("roof", (0, 0, height), (2 * x, 2 * y, 0.14), color.color)
    a.box("door", (0, -depth / 2, 0.2), (0.24, 0.14, 0.42), shade((110, 70, 45), rng=rng))
    columns = [-1, 1] if shape != "narrow" or floors == 2 else []
    windows = 0
    for floor in range(floors):
        for side in columns:
            at = (side * width * 0.31, -depth / 2, storey * floor + 0.34)
            a.box("window", at, (0.2, 0.14, 0.24), WINDOW)
            windows += 1
    chimney = roof != "flat" and chance(rng)
    if chimney:
        a.box("chimney", (width * 0.25, depth * 0.15, height + rise * 0.7), (0.19, 0.19, rise), (150, 80, 65))
    said = {"gabled": "pitched", "hipped": "hipped", "flat": "flat"}[roof]
    return Draft(
        parts=a.parts,
        nouns=("house",),
        adjectives=({1: "one-story", 2: "two-story"}[floors], shape),
        finish=wall.word,
        details=(
            f"a {said} {color.word} roof",
            *([counted(windows, "window")] if windows else ["no windows"]),
            *(["a chimney"] if chimney else []),
        ),
        attributes={"floors": floors, "roof": roof, "windows": windows, "chimneys": int(chimney)},
    )


def tower(rng: Generator) -> Draft:
    """A castle tower: round, square or octagonal, crenellated or with a pointed roof."""
    a = Assembly()
    section = choose(rng, "round", "square", "octagonal")
    sides = {"round": 0, "square": 4, "octagonal": 8}[section]
    shape = choose(rng, "narrow", "wide")
    r, height = (0.3, 1.35) if shape == "narrow" else (0.44, 1.3)
    top = choose(rng, "battlements", "pointed roof")
    wall = pick(rng, "stone", "stone", "brick", "white")
    a.column("tower", (0, 0, 0), r * 1.1, height, wall.color, top=r, sides=sides)
    a.column("base", (0, 0, 0), r * 1.25, 0.14, shade(wall.color, 0.8), sides=sides)
    a.column("parapet", (0, 0, height - 0.02), r * 1.22, 0.16, shade(wall.color, 0.9), sides=sides)
    roof = pick(rng, "red", "blue", "purple", "green")
    if top == "battlements":
        teeth, z = 8, height + 0.2
        for i, (x, y) in enumerate(ring(teeth, r * 1.1, start=22.5 if section != "square" else 0)):
            if section == "square":
                x, y = (np.sign(round(v, 3)) * r * 1.08 for v in (x, y))
            a.box(
                "merlon",
                (x, y, z),
                (r * 0.42, r * 0.42, 0.24),
                wall.color,
                rotation=turn("z", 0 if section == "square" else 22.5 + 45 * i),
            )
    else:
        a.column(
            "roof", (0, 0, height + 0.12), r * 1.35, between(rng, 0.55, 0.75), roof.color, top=0, sides=sides
        )
    a.box("door", (0, -r * 1.05, 0.2), (r * 0.6, 0.22, 0.44), (95, 65, 42))
    windows = count(rng, 1, 2)
    for i in range(windows):
        a.box("window", (0, -r * 1.02, height * (0.84 - 0.26 * i)), (0.12, 0.16, 0.2), DARK)
    return Draft(
        parts=a.parts,
        nouns=("castle tower", "tower"),
        adjectives=(section, shape),
        finish=wall.word,
        details=(
            top if top == "battlements" else f"a pointed {roof.word} roof",
            counted(windows, "small window" if windows == 1 else "small windows"),
            "a wooden door",
        ),
        attributes={"section": section, "top": top, "windows": windows, "shape": shape},
    )


def tent(rng: Generator) -> Draft:
    """A camping tent: ridge tent, pyramid or dome, with a dark opening."""
    a = Assembly()
    shape = choose(rng, "ridge", "ridge", "pyramid", "dome")
    color = pick(rng, "red", "orange", "yellow", "green", "blue", "white", "purple")
    door = shade(color.color, 0.35)
    if shape == "ridge":
        w, h, length = between(rng, 0.6, 0.7), between(rng, 0.9, 1.05), between(rng, 1.4, 1.9)
        a.slab("canvas", (0, 0, 0), [(-w, 0), (w, 0), (0, h)], length, color.color, plane="xz")
        a.slab(
            "opening",
            (0, -length / 2, 0),
            [(-w * 0.4, 0), (w * 0.4, 0), (0, h * 0.75)],
            0.1,
            door,
            plane="xz",
        )
        for sy in (-1, 1):
            a.rod("pole", (0, sy * (length / 2), 0), (0, sy * (length / 2), h + 0.16), 0.05, (120, 90, 60))
    elif shape == "pyramid":
        w, h = between(rng, 0.75, 0.95), between(rng, 1.1, 1.4)
        a.column("canvas", (0, 0, 0), w, h, color.color, top=0, sides=4)
        a.hull(
            "opening",
            [
                (x, -w * (1 - z / h) - d, z)
                for x, z in ((-0.34, 0.0), (0.34, 0.0), (0.0, h * 0.62))
                for d in (-0.1, 0.13)
            ],
            door,
        )
        a.rod("pole", (0, 0, h - 0.25), (0, 0, h + 0.15), 0.05, (120, 90, 60))
    else:
        w, h = 0.95, between(rng, 0.75, 0.9)
        curve = [(0, 0), *((w * np.cos(u), h * np.sin(u)) for u in np.linspace(0, np.pi / 2, 9))]
        curve[-1] = (0, h)
        a.lathe("canvas", (0, 0, 0), curve, color.color)
        for rotation in (turn("z", 45) @ turn("x", 90), turn("z", -45) @ turn("x", 90)):
            a.torus(
                "pole",
                (0, 0, 0),
                w * 0.93,
                0.05,
                shade(color.color, 0.6),
                arc=62,
                rotation=rotation @ turn("z", 90),
            )
        arch = [(0.34 * np.cos(u), 0.55 * np.sin(u)) for u in np.linspace(0, np.pi, 13)]
        a.slab("entrance", (0, -w * 0.75, 0), arch, w * 0.6, color.color, plane="xz")
        inner = [(0.68 * x, 0.75 * z) for x, z in arch]
        a.slab("opening", (0, -w * 0.78, 0), inner, w * 0.7, door, plane="xz")
        a.box("ground", (0, 0, 0.03), (1.3, 1.3, 0.07), shade(color.color, 0.6))
    return Draft(
        parts=a.parts,
        nouns=("tent", "camping tent"),
        adjectives=({"ridge": "triangular", "pyramid": "pyramid-shaped", "dome": "dome-shaped"}[shape],),
        finish=color.word,
        details=("a dark opening at the front", *(["two poles"] if shape == "ridge" else [])),
        attributes={"shape": shape},
    )


def windmill(rng: Generator) -> Draft:
    """A windmill: tapered tower, cap and three or four broad sails."""
    a = Assembly()
    section, sails = choose(rng, "round", "square", "octagonal"), int(rng.choice([3, 4, 4]))
    sides = {"round": 0, "square": 4, "octagonal": 8}[section]
    wall = pick(rng, "white", "stone", "wooden", "brick", "red", "blue")
    roof = pick(rng, "red", "brown", "gray", "black")
    height, wide = 1.25, between(rng, 0.4, 0.48)
    a.column("tower", (0, 0, 0), wide, height, wall.color, top=wide * 0.62, sides=sides)
    a.column("cap", (0, 0, height - 0.02), wide * 0.75, 0.36, roof.color, top=0.0, sides=sides)
    a.box("door", (0, -wide + 0.02, 0.2), (0.24, 0.16, 0.42), (95, 65, 42))
    y, z = -wide * 0.62 - 0.14, height - 0.06
    a.rod("axle", (0, 0, z), (0, y - 0.08, z), 0.09, DARK)
    length, cloth = between(rng, 0.75, 0.85), shade((225, 215, 195), rng=rng)
    for i in range(sails):
        spin = turn("y", 360 * i / sails + (45 if sails == 4 else 0))
        a.box(
            "sail arm",
            np.array([0, y, z]) + spin @ [0, 0, length / 2],
            (0.08, 0.08, length),
            DARK,
            rotation=spin,
        )
        at = np.array([0, y, z]) + spin @ [0.1, 0, length * 0.62]
        a.box("sail", at, (0.24, 0.07, length * 0.7), cloth, rotation=spin)
    return Draft(
        parts=a.parts,
        nouns=("windmill",),
        adjectives=(section,),
        finish=wall.word,
        details=(counted(sails, "sail"), f"a {roof.word} roof"),
        attributes={"sails": sails, "section": section, "roof": roof.word},
    )


def bridge(rng: Generator) -> Draft:
    """A small bridge: arched or flat deck, railings with posts."""
    a = Assembly()
    shape = choose(rng, "arched", "flat")
    finish = pick(rng, "wooden", "stone", "red", "stone", "wooden")
    dark = shade(finish.color, 0.75)
    width, half = between(rng, 0.6, 0.75), 0.96
    rise = 0.4 if shape == "arched" else 0.0
    rail = shape == "flat" or chance(rng, 0.7)

    def deck(x: float) -> float:
        return 0.45 + rise * (1 - (x / half) ** 2)

    xs = np.linspace(-half, half, 13)
    upper = [(float(x), deck(x)) for x in xs]
    if finish.word == "stone":
        r = between(rng, 0.55, 0.65)
        opening = [(r * np.cos(u), r * 0.75 * np.sin(u)) for u in np.linspace(0, np.pi, 13)]
        lower = [(half, 0.0), *[(x, min(z, deck(x) - 0.14)) for x, z in opening], (-half, 0.0)]
        a.slab("arch", (0, 0, 0), [*upper, *lower], width, finish.color, plane="xz")
    else:
        lower = [(x, z - 0.14) for x, z in upper][::-1]
        a.slab("deck", (0, 0, 0), [*upper, *lower], width, finish.color, plane="xz")
        for x in (-half + 0.14, half - 0.14):
            a.box("pier", (x, 0, deck(x) / 2), (0.16, width * 0.8, deck(x) - 0.06), dark)
    posts = 0
    if rail:
        posts = 2 * count(rng, 3, 5)
        for y in (-width / 2 + 0.04, width / 2 - 0.04):
            for x in np.linspace(-half + 0.06, half - 0.06, posts // 2):
                a.box("post", (x, y, deck(x) + 0.14), (0.1, 0.1, 0.4), dark)
            top = [(x, z + 0.3) for x, z in upper]
            band = [*top, *[(x, z + 0.09) for x, z in top][::-1]]
            a.slab("railing", (0, y, 0), band, 0.09, dark, plane="xz")
    return Draft(
        parts=a.parts,
        nouns=("bridge",),
        adjectives=(shape,),
        finish=finish.word,
        details=(
            "railings on both sides" if rail else "no railings",
            "an arch underneath" if finish.word == "stone" else "two supports",
        ),
        attributes={"shape": shape, "railings": 2 * rail, "posts": posts},
    )


def lighthouse(rng: Generator) -> Draft:
    """A lighthouse: striped tapered tower, gallery, lantern and cap."""
    a = Assembly()
    stripe = pick(rng, "red", "blue", "black", "green")
    bands = count(rng, 2, 4)
    wide = choose(rng, "wide", "narrow")
    low, high = (0.46, 0.28) if wide == "wide" else (0.3, 0.2)
    height = 1.3
    levels = np.linspace(0, height, 2 * bands + 1)
    radii = np.interp(levels, [0, height], [low, high])
    for i in range(2 * bands):
        color = stripe.color if i % 2 == 0 else (238, 236, 230)
        tall = levels[i + 1] - levels[i] + (0.01 if i < 2 * bands - 1 else 0)
        a.column(
            "stripe" if i % 2 == 0 else "wall", (0, 0, levels[i]), radii[i], tall, color, top=radii[i + 1]
        )
    a.column("gallery", (0, 0, height - 0.03), high + 0.14, 0.11, DARK)
    a.column("lantern", (0, 0, height), high * 0.7, 0.32, (245, 220, 130))
    a.column("cap", (0, 0, height + 0.28), high + 0.06, 0.28, stripe.color, top=0)
    a.column("rock", (0, 0, -0.12), low + 0.2, 0.16, (120, 116, 110), top=low + 0.1, sides=8)
    return Draft(
        parts=a.parts,
        nouns=("lighthouse",),
        adjectives=(wide, "striped"),
        finish=f"{stripe.word} and white",
        details=(counted(bands, "stripe", stripe.word), "a lantern room on top"),
        attributes={"stripes": bands, "shape": wide, "color": stripe.word},
    )
