"""Furniture and boxes that store things: bookshelf, dresser, wardrobe, desk, crate, chest."""

from __future__ import annotations

import numpy as np

from .assembly import Assembly
from .captions import Draft, counted
from .furniture import legs_at_corners
from .palette import DARK, Color, pick, shade
from .variation import Generator, between, chance, choose, count

WALL = 0.08


def bookshelf(rng: Generator) -> Draft:
    """A bookshelf: counted shelves (the bottom board counts, the top board closes), open or closed back."""
    a = Assembly()
    shape = choose(rng, "tall narrow", "tall", "wide", "low")
    width, height = {
        "tall narrow": (between(rng, 0.55, 0.68), 1.92),
        "tall": (between(rng, 0.9, 1.05), 1.92),
        "wide": (1.9, between(rng, 1.3, 1.5)),
        "low": (1.9, between(rng, 0.7, 0.8)),
    }[shape]
    shelves = 2 if shape == "low" else count(rng, 3, 5)
    depth = between(rng, 0.36, 0.46)
    finish = pick(rng, "wooden", "wooden", "white", "black", "red", "blue", "metal")
    dark = shade(finish.color, 0.8)
    for sx in (-1, 1):
        a.box("side", (sx * (width - WALL) / 2, 0, height / 2), (WALL, depth, height), finish.color)
    a.box("top", (0, 0, height - WALL / 2), (width, depth, WALL), finish.color)
    closed = chance(rng)
    if closed:
        a.box("back", (0, depth / 2 - 0.035, height / 2), (width - 0.02, 0.07, height - 0.02), dark)
    levels = [0.06 + (height - 0.06) * i / shelves for i in range(shelves)]
    for z in levels:
        a.box("shelf", (0, 0, z), (width - 0.05, depth - 0.01, WALL), finish.color)
    books = chance(rng, 0.4)
    if books:
        for z in levels:
            _books(a, rng, width - 2 * WALL, depth, z, (height - 0.06) / shelves)
    return Draft(
        parts=a.parts,
        nouns=("bookshelf", "bookcase"),
        adjectives=tuple(shape.split()),
        finish=finish.word,
        details=(
            counted(shelves, "shelves"),
            "a closed back" if closed else "an open back",
            *(["colorful books"] if books else []),
        ),
        attributes={"shelves": shelves, "shape": shape, "back": int(closed), "books": int(books)},
    )


def _books(a: Assembly, rng: Generator, width: float, depth: float, z: float, gap: float) -> None:
    """A row of books from the left wall, as a few thick blocks."""
    x = -width / 2
    end = width / 2 - between(rng, 0.0, 0.5) * width
    while x < end - 0.1:
        thickness = min(between(rng, 0.1, 0.22), end - x)
        high = gap * between(rng, 0.55, 0.78)
        at = (x + thickness / 2, 0.02, z + high / 2)
        a.box("book", at, (thickness, depth * 0.7, high), pick(rng).color)
        x += thickness


def cabinet(rng: Generator) -> Draft:
    """A chest of drawers: one or two columns of drawers with knobs, on feet."""
    a = Assembly()
    shape = choose(rng, "tall", "wide", "")
    width, height = {
        "tall": (between(rng, 0.7, 0.85), 1.6),
        "wide": (1.8, between(rng, 0.85, 1.0)),
        "": (1.15, 1.15),
    }[shape]
    rows, columns = (
        {"tall": count(rng, 3, 5), "wide": 2, "": count(rng, 2, 3)}[shape],
        (2 if shape == "wide" else 1),
    )
    depth = between(rng, 0.6, 0.75)
    finish = pick(rng, "wooden", "wooden", "white", "black", "green", "blue", "red")
    light, dark = shade(finish.color, 1.2), shade(finish.color, 0.6)
    a.box("body", (0, 0, 0.16 + height / 2), (width, depth, height), finish.color)
    a.box("top", (0, 0, 0.16 + height), (width + 0.14, depth + 0.1, 0.1), light)
    tall, wide = height / rows, width / columns
    for i in range(rows):
        for j in range(columns):
            x, z = -width / 2 + wide * (j + 0.5), 0.12 + tall * (i + 0.5)
            a.box("drawer", (x, -depth / 2, z), (wide - 0.14, 0.16, tall - 0.12), light)
            a.ball("knob", (x, -depth / 2 - 0.1, z), 0.065, dark)
    legs_at_corners(a, "straight", width, depth, 0.2, 0.14, dark)
    drawers = rows * columns
    return Draft(
        parts=a.parts,
        nouns=("dresser", "chest of drawers"),
        adjectives=(shape,),
        finish=finish.word,
        details=(counted(drawers, "drawer"), "round knobs", "four short legs"),
        attributes={"drawers": drawers, "legs": 4, "shape": shape or "square"},
    )


def wardrobe(rng: Generator) -> Draft:
    """A wardrobe: tall box with one, two or three doors and long handles, perhaps a drawer below."""
    a = Assembly()
    doors = count(rng, 1, 3)
    width, height = {1: 0.75, 2: 1.15, 3: 1.55}[doors], 1.8
    depth = between(rng, 0.55, 0.65)
    finish = pick(rng, "wooden", "wooden", "white", "black", "green", "blue")
    light, dark = shade(finish.color, 1.2), shade(finish.color, 0.6)
    top = choose(rng, "flat", "arched")
    drawer = chance(rng, 0.4)
    low = 0.5 if drawer else 0.12
    a.box("body", (0, 0, height / 2), (width, depth, height), finish.color)
    if top == "flat":
        a.box("cornice", (0, 0, height), (width + 0.16, depth + 0.14, 0.12), light)
    else:
        arc = [(width / 2 * np.cos(u), 0.26 * np.sin(u)) for u in np.linspace(0, np.pi, 13)]
        a.slab("arch", (0, 0, height - 0.01), arc, depth, light, plane="xz")
    wide = width / doors
    for i in range(doors):
        x = -width / 2 + wide * (i + 0.5)
        a.box("door", (x, -depth / 2, (low + height) / 2), (wide - 0.1, 0.14, height - low - 0.14), light)
        side = -1 if i > 0 else 1
        at = (x + side * (wide / 2 - 0.13), -depth / 2 - 0.09, height * 0.55)
        a.box("handle", at, (0.08, 0.12, 0.34), dark)
    if drawer:
        a.box("drawer", (0, -depth / 2, 0.29), (width - 0.1, 0.14, 0.28), light)
        a.box("drawer handle", (0, -depth / 2 - 0.09, 0.29), (0.3, 0.12, 0.08), dark)
    return Draft(
        parts=a.parts,
        nouns=("wardrobe",),
        adjectives=("narrow" if doors == 1 else "wide" if doors == 3 else "tall",),
        finish=finish.word,
        details=(counted(doors, "door"), f"a {top} top", *(["a drawer at the bottom"] if drawer else [])),
        attributes={"doors": doors, "top": top, "drawers": int(drawer)},
    )


def desk(rng: Generator) -> Draft:
    """A desk: top, a drawer block on one or both sides, legs or a panel on the other, perhaps a monitor."""
    a = Assembly()
    width, depth, height = between(rng, 1.7, 1.9), between(rng, 0.75, 0.9), between(rng, 0.85, 0.95)
    finish = pick(rng, "wooden", "wooden", "white", "black", "metal", "blue")
    light, dark = shade(finish.color, 1.2), shade(finish.color, 0.7)
    side = choose(rng, "left", "right", "both")
    drawers = count(rng, 2, 3)
    a.box("top", (0, 0, height), (width, depth, 0.11), finish.color)
    block = 0.48
    for sx, name in ((-1, "left"), (1, "right")):
        x = sx * (width / 2 - block / 2 - 0.02)
        if side in (name, "both"):
            a.box("drawer block", (x, 0.02, height / 2), (block, depth - 0.12, height), finish.color)
            tall = (height - 0.1) / drawers
            for i in range(drawers):
                z = 0.05 + tall * (i + 0.5)
                a.box("drawer", (x, -depth / 2 + 0.06, z), (block - 0.1, 0.12, tall - 0.1), light)
                a.ball("knob", (x, -depth / 2 - 0.02, z), 0.06, dark)
        else:
            for sy in (-1, 1):
                at = (sx * (width / 2 - 0.08), sy * (depth / 2 - 0.08), height / 2)
                a.box("leg", at, (0.12, 0.12, height), dark)
    monitor = chance(rng, 0.35)
    if monitor:
        a.box("monitor", (0, 0.12, height + 0.52), (0.9, 0.09, 0.58), DARK)
        a.box("monitor stand", (0, 0.16, height + 0.15), (0.14, 0.09, 0.36), DARK)
        a.box("monitor foot", (0, 0.12, height + 0.07), (0.4, 0.26, 0.07), DARK)
    where = "drawers on both sides" if side == "both" else f"{counted(drawers, 'drawer')} on the {side}"
    return Draft(
        parts=a.parts,
        nouns=("desk",),
        adjectives=("wide",) if width > 1.8 else (),
        finish=finish.word,
        details=(where, *(["a computer monitor"] if monitor else ["an empty top"])),
        attributes={
            "drawers": drawers * (2 if side == "both" else 1),
            "legs": 0 if side == "both" else 2,
            "side": side,
            "monitors": int(monitor),
        },
    )


def _braces(a: Assembly, size: tuple[float, float, float], t: float, color: Color) -> None:
    """Beams along the twelve edges of a box."""
    x, y, z = size
    for u in (-1, 1):
        for v in (-1, 1):
            a.box("beam", (0, u * y / 2, v * z / 2), (x + t, t, t), color)
            a.box("beam", (u * x / 2, 0, v * z / 2), (t, y + t, t), color)
            a.box("beam", (u * x / 2, v * y / 2, 0), (t, t, z + t), color)


def crate(rng: Generator) -> Draft:
    """A crate: box framed by beams, perhaps with diagonal braces; open or closed top is always closed."""
    a = Assembly()
    shape = choose(rng, "cubic", "tall", "flat")
    side = 1.5
    size = {"cubic": (side, side, side), "tall": (1.0, 1.0, 1.7), "flat": (1.7, 1.4, 0.8)}[shape]
    finish = pick(rng, "wooden", "wooden", "wooden", "metal", "green")
    dark = shade(finish.color, 0.75)
    t = between(rng, 0.16, 0.24)
    a.box("body", (0, 0, 0), size, finish.color)
    _braces(a, size, t, dark)
    brace = choose(rng, "diagonal", "crossed", "none")
    x, y, z = size
    if brace != "none":
        for sx in (-1, 1) if brace == "crossed" else (1,):
            for sy in (-1, 1):
                corners = (-sx * x / 2, sy * y / 2, -z / 2), (sx * x / 2, sy * y / 2, z / 2)
                a.rod("brace", *corners, t * 0.4, dark, sides=4)
            for face in (-1, 1):
                corners = (face * x / 2, -sx * y / 2, -z / 2), (face * x / 2, sx * y / 2, z / 2)
                a.rod("brace", *corners, t * 0.4, dark, sides=4)
    said = {"diagonal": "a diagonal brace on each side", "crossed": "crossed braces", "none": "plain sides"}
    return Draft(
        parts=a.parts,
        nouns=("crate",),
        adjectives=(shape,),
        finish=finish.word,
        details=(said[brace], f"a {'thick' if t > 0.2 else 'thin'} frame"),
        attributes={"shape": shape, "brace": brace, "beams": 12},
    )


def chest(rng: Generator) -> Draft:
    """A treasure chest: box, half-round or flat lid, metal bands, lock; lid open or closed."""
    a = Assembly()
    width, depth, height = 1.8, between(rng, 1.0, 1.15), between(rng, 0.65, 0.8)
    finish = pick(rng, "wooden", "wooden", "wooden", "red", "blue", "black", "stone")
    band = choose(rng, "golden", "metal")
    metal = pick(rng, band).color
    lid = choose(rng, "rounded", "rounded", "flat")
    a.box("body", (0, 0, height / 2), (width, depth, height), finish.color)
    r = depth / 2

    def arch(radius: float) -> list[tuple[float, float]]:
        if lid == "flat":
            return [(-radius, 0), (radius, 0), (radius, 0.24 + radius - r), (-radius, 0.24 + radius - r)]
        return [(radius * np.cos(u), radius * np.sin(u) * 0.95) for u in np.linspace(0, np.pi, 17)]

    a.slab("lid", (0, 0, height - 0.01), arch(r), width, shade(finish.color, 0.9), plane="yz")
    bands = count(rng, 2, 3)
    for x in np.linspace(-width / 2 + 0.14, width / 2 - 0.14, bands):
        a.box("band", (x, 0, height / 2), (0.18, depth + 0.12, height + 0.04), metal)
        a.slab("lid band", (x, 0, height - 0.01), arch(r + 0.06), 0.18, metal, plane="yz")
    a.box("rim", (0, 0, height), (width + 0.06, depth + 0.08, 0.1), metal)
    a.box("lock", (0, -depth / 2 - 0.06, height), (0.28, 0.16, 0.32), metal)
    return Draft(
        parts=a.parts,
        nouns=("treasure chest", "chest"),
        adjectives=("closed",),
        finish=finish.word,
        details=(f"a {lid} lid", counted(bands, "band", band), "a lock on the front"),
        attributes={"bands": bands, "lid": lid, "trim": band},
    )
