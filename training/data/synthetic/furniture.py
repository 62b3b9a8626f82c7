"""Furniture to sit, lie and eat on: chair, armchair, stool, bench, sofa, table, desk, bed."""

from __future__ import annotations

import numpy as np

from .assembly import Assembly, ring
from .captions import Draft, counted
from .palette import Color, Finish, pick, shade
from .variation import Generator, between, choose


def legs_at_corners(
    a: Assembly, style: str, width: float, depth: float, height: float, thickness: float, color: Color
) -> None:
    """Four legs under a rectangle: straight (square), tapered (thin feet), round or splayed (feet apart)."""
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y = sx * (width / 2 - thickness / 2), sy * (depth / 2 - thickness / 2)
            if style == "straight":
                a.box("leg", (x, y, height / 2), (thickness, thickness, height), color)
            elif style == "splayed":
                a.rod("leg", (x * 1.15, y * 1.15, 0), (x * 0.8, y * 0.8, height), thickness / 2, color)
            elif style == "tapered":
                a.column("leg", (x, y, 0), thickness * 0.38, height, color, top=thickness * 0.7, sides=4)
            else:
                a.column("leg", (x, y, 0), thickness * 0.55, height, color)


LEG_STYLES = ("straight", "tapered", "splayed", "round")


def _seat_finish(rng: Generator) -> tuple[Finish, Color]:
    finish = pick(rng, "wooden", "wooden", "metal", "red", "blue", "green", "white", "black", "yellow")
    return finish, shade(finish.color, 0.8)


def _chair_back(a: Assembly, style: str, w: float, d: float, z: float, h: float, color: Color) -> None:
    y, t = d / 2 - 0.06, 0.1
    if style == "solid":
        a.box("back", (0, y, z + h / 2), (w, t, h), color)
        return
    if style == "round":
        outline = [(w * 0.5 * np.cos(u), h * 0.5 * np.sin(u)) for u in np.linspace(0, 2 * np.pi, 24)[:-1]]
        a.slab("back", (0, y, z + h * 0.5), outline, t, color, plane="xz")
        return
    for sx in (-1, 1):
        a.box("back post", (sx * (w / 2 - 0.05), y, z + h / 2), (0.1, t, h), color)
    a.box("back rail", (0, y, z + h - 0.07), (w, t, 0.14), color)
    if style == "slatted":
        for x in (-w / 6, w / 6):
            a.box("back slat", (x, y, z + h / 2), (0.09, 0.08, h - 0.06), color)
    else:
        a.box("back rail", (0, y, z + h * 0.45), (w - 0.05, 0.08, 0.13), color)


def chair(rng: Generator) -> Draft:
    """A chair: seat, back, four legs, sometimes arms."""
    a = Assembly()
    tall = choose(rng, "tall", "low", "")
    width, depth = between(rng, 0.8, 0.95), between(rng, 0.8, 0.92)
    wide = rng.random() < 0.25
    if wide:
        width = between(rng, 1.2, 1.35)
    seat = between(rng, 0.75, 0.9)
    back = {"tall": between(rng, 1.15, 1.3), "low": between(rng, 0.45, 0.55), "": between(rng, 0.8, 0.9)}[
        tall
    ]
    leg, style = choose(rng, *LEG_STYLES), choose(rng, "solid", "slatted", "ladder", "round")
    thick = choose(rng, "thick", "thin")
    finish, dark = _seat_finish(rng)
    legs_at_corners(a, leg, width, depth, seat, 0.16 if thick == "thick" else 0.09, dark)
    a.box("seat", (0, 0, seat), (width, depth, 0.13), finish.color, rounding=0.03)
    _chair_back(a, style, width, depth, seat, back, finish.color)
    arms = rng.random() < 0.3
    if arms:
        for sx in (-1, 1):
            x = sx * (width / 2 - 0.04)
            a.box("arm", (x, -0.02, seat + 0.35), (0.11, depth - 0.05, 0.1), finish.color)
            a.box("arm post", (x, -depth / 2 + 0.12, seat + 0.17), (0.09, 0.09, 0.34), dark)
    names = {"solid": "solid", "slatted": "slatted", "ladder": "ladder", "round": "round"}
    return Draft(
        parts=a.parts,
        nouns=("chair",),
        adjectives=(
            "high-backed" if tall == "tall" else "low-backed" if tall == "low" else "",
            "wide" * wide,
        ),
        finish=finish.word,
        details=(
            f"a {names[style]} back",
            counted(4, "leg", thick, leg),
            *(["armrests"] if arms else []),
        ),
        attributes={"legs": 4, "leg_style": leg, "back": style, "arms": 2 * arms, "leg_thickness": thick},
    )


def stool(rng: Generator) -> Draft:
    """A stool: a seat on three or four legs, or on a pedestal."""
    a = Assembly()
    tall = choose(rng, "tall", "low")
    height = between(rng, 1.5, 1.7) if tall == "tall" else between(rng, 0.72, 0.88)
    top, radius = choose(rng, "round", "square"), between(rng, 0.36, 0.44)
    base = int(rng.choice([1, 3, 3, 4]))
    cushion = rng.random() < 0.4
    finish, dark = _seat_finish(rng)
    sides = 0 if top == "round" else 4
    a.column("seat", (0, 0, height - 0.08), radius, 0.15, finish.color, sides=sides)
    thick = choose(rng, "thick", "thin")
    t = 0.1 if thick == "thick" else 0.055
    if base == 1:
        a.column("pedestal", (0, 0, 0), t + 0.02, height, dark)
        a.column("foot", (0, 0, 0), radius * 0.85, 0.12, dark)
    else:
        splay = 1.25 if tall == "tall" else 1.1
        for x, y in ring(base, radius * 0.72, start=-90 if base == 3 else 45):
            a.rod("leg", (x * splay, y * splay, 0), (x, y, height - 0.03), t, dark, top=t * 1.15)
    if cushion:
        a.ball(
            "cushion",
            (0, 0, height + 0.07),
            (radius * 0.95, radius * 0.95, 0.14),
            shade((180, 60, 55), rng=rng),
        )
    details = [counted(1, "pedestal foot") if base == 1 else counted(base, "leg", thick), f"a {top} seat"]
    names = {1: "pedestal", 3: "three-legged", 4: "four-legged"}
    return Draft(
        parts=a.parts,
        nouns=("stool",),
        adjectives=(tall, top, names[base]),
        finish=finish.word,
        details=(*details, *(["a soft cushion"] if cushion else [])),
        attributes={"legs": 0 if base == 1 else base, "top": top, "height": tall, "cushions": int(cushion)},
    )


def table(rng: Generator) -> Draft:
    """A table: round, square, hexagonal, oval or rectangular top on legs or a pedestal."""
    a = Assembly()
    top = choose(rng, "round", "round", "square", "hexagonal", "rectangular", "rectangular")
    tall = choose(rng, "low", "tall", "", "")
    height = {"low": between(rng, 0.4, 0.5), "tall": between(rng, 1.4, 1.6), "": between(rng, 0.8, 0.95)}[
        tall
    ]
    half = between(rng, 0.5, 0.6) if tall == "tall" else between(rng, 0.72, 0.9)
    width, depth = 2 * half, 2 * half
    if top == "rectangular":
        width, depth = 1.9, between(rng, 0.85, 1.1)
    thick_top = choose(rng, "thick", "thin")
    t = 0.2 if thick_top == "thick" else 0.09
    finish = pick(rng, "wooden", "wooden", "metal", "stone", "white", "black", "red", "blue")
    dark = shade(finish.color, 0.8)
    if top == "rectangular":
        a.box("top", (0, 0, height), (width, depth, t), finish.color)
    else:
        sides = {"round": 0, "square": 4, "hexagonal": 6}[top]
        a.column("top", (0, 0, height - t / 2), half, t, finish.color, sides=sides)
    base = "pedestal" if top != "rectangular" and rng.random() < 0.4 else choose(rng, "three", "four", "four")
    leg, thick = choose(rng, *LEG_STYLES), choose(rng, "thick", "thin")
    leg_size = 0.2 if thick == "thick" else 0.1
    legs = 4
    if base == "pedestal":
        legs = 0
        a.column("pedestal", (0, 0, 0), 0.14, height, dark, top=0.1)
        a.column("foot", (0, 0, 0), half * 0.6, 0.13, dark, top=half * 0.3)
    elif top in ("round", "hexagonal"):
        legs = 3 if base == "three" else 4
        leg = "straight"
        for x, y in ring(legs, half * 0.72, start=-90 if legs == 3 else 45):
            a.column("leg", (x, y, 0), leg_size / 2, height, dark)
    else:
        legs_at_corners(a, leg, width * 0.94, depth * 0.94, height, leg_size, dark)
    below = [f"{counted(legs, 'leg', thick, leg)}" if legs else "a single pedestal"]
    return Draft(
        parts=a.parts,
        nouns=("table",),
        adjectives=(tall, top, {0: "pedestal", 3: "three-legged", 4: ""}[legs]),
        finish=finish.word,
        details=(*below, f"a {thick_top} {top} top"),
        attributes={"legs": legs, "top": top, "height": tall or "medium", "top_thickness": thick_top},
    )


def sofa(rng: Generator) -> Draft:
    """A sofa: long seat with cushions, back and two arms."""
    a = Assembly()
    seats = int(rng.integers(1, 4)) + 1
    width = {2: 1.35, 3: 1.9, 4: 2.4}[seats]
    depth, seat = between(rng, 0.75, 0.9), between(rng, 0.36, 0.44)
    back = choose(rng, "high", "low")
    top = seat + (between(rng, 0.65, 0.75) if back == "high" else between(rng, 0.3, 0.36))
    arms = choose(rng, "round", "square")
    finish = pick(rng)
    dark, soft = shade(finish.color, 0.75), finish.color
    a.box("base", (0, 0, seat / 2 + 0.06), (width, depth, seat - 0.1), dark)
    a.box("back", (0, depth / 2 - 0.12, top / 2 + 0.05), (width, 0.24, top - 0.1), dark, rounding=0.06)
    inner = width - 0.36
    for i in range(seats):
        x = -inner / 2 + inner * (i + 0.5) / seats
        a.box(
            "cushion", (x, -0.1, seat + 0.06), (inner / seats - 0.02, depth - 0.2, 0.2), soft, rounding=0.07
        )
    for sx in (-1, 1):
        x = sx * (width / 2 - 0.1)
        a.box("arm", (x, 0, seat * 0.75), (0.22, depth, seat * 1.3), dark, rounding=0.02)
        if arms == "round":
            end = seat * 1.4
            a.rod("armrest", (x, -depth / 2 - 0.02, end), (x, depth / 2, end), 0.15, dark)
        for sy in (-1, 1):
            a.box("foot", (x, sy * (depth / 2 - 0.1), 0.05), (0.12, 0.12, 0.14), shade(dark, 0.5))
    return Draft(
        parts=a.parts,
        nouns=("couch",),
        adjectives=({2: "short", 3: "", 4: "long"}[seats], f"{back}-backed"),
        finish=finish.word,
        details=(counted(seats, "seat cushion"), f"two {arms} arms"),
        attributes={"cushions": seats, "arm_style": arms, "back": back},
    )


def bench(rng: Generator) -> Draft:
    """A bench: long plank seat on two supports or four legs, with or without a back."""
    a = Assembly()
    width, depth, height = between(rng, 1.8, 1.95), between(rng, 0.45, 0.58), between(rng, 0.45, 0.6)
    finish = pick(rng, "wooden", "wooden", "stone", "metal", "green", "white")
    dark = shade(finish.color, 0.75)
    support = choose(rng, "solid ends", "four legs")
    if support == "solid ends":
        for sx in (-1, 1):
            a.box("support", (sx * width * 0.38, 0, height / 2), (0.16, depth * 0.9, height), dark)
    else:
        legs_at_corners(a, "straight", width * 0.92, depth, height, 0.12, dark)
    a.box("seat", (0, 0, height), (width, depth, 0.12), finish.color)
    back = rng.random() < 0.5
    if back:
        for sx in (-1, 1):
            a.box("back post", (sx * width * 0.38, depth / 2 - 0.05, height + 0.3), (0.12, 0.1, 0.66), dark)
        for z in (0.28, 0.54):
            a.box("back plank", (0, depth / 2 - 0.09, height + z), (width, 0.09, 0.17), finish.color)
    return Draft(
        parts=a.parts,
        nouns=("bench",),
        adjectives=("long", "" if back else "backless"),
        finish=finish.word,
        details=(support, "a backrest" if back else "no back", "a plank seat"),
        attributes={"support": support, "back": int(back), "legs": 4 if support == "four legs" else 0},
    )


def bed(rng: Generator) -> Draft:
    """A bed: mattress, headboard, pillows, blanket; single or double, perhaps a four-poster."""
    a = Assembly()
    size = choose(rng, "single", "double")
    width, length = (0.9 if size == "single" else 1.5), 1.9
    finish = pick(rng, "wooden", "wooden", "metal", "white", "black")
    cover = pick(rng, "red", "blue", "green", "purple", "pink", "yellow")
    head = choose(rng, "tall", "low")
    z = between(rng, 0.28, 0.36)
    a.box("frame", (0, 0, z), (width, length, 0.16), finish.color)
    a.box("mattress", (0, 0, z + 0.14), (width - 0.06, length - 0.06, 0.22), (236, 232, 224), rounding=0.05)
    a.box("blanket", (0, -0.3, z + 0.2), (width + 0.02, length * 0.66, 0.18), cover.color, rounding=0.04)
    pillows = 1 if size == "single" else 2
    for i in range(pillows):
        x = 0.0 if pillows == 1 else (-0.35 if i == 0 else 0.35)
        a.box("pillow", (x, length / 2 - 0.28, z + 0.3), (0.58, 0.34, 0.18), (245, 244, 240), rounding=0.08)
    poster = rng.random() < 0.2
    top = 1.7 if poster else z + (0.75 if head == "tall" else 0.42)
    board = z + (0.75 if head == "tall" else 0.42)
    a.box("headboard", (0, length / 2, board / 2), (width + 0.06, 0.12, board), finish.color)
    for sx in (-1, 1):
        for sy in (-1, 1):
            high = top if poster else (0.2 if sy > 0 else z + 0.1)
            x, y = sx * (width / 2 - 0.02), sy * (length / 2 - 0.02)
            a.box("post", (x, y, high / 2), (0.13, 0.13, high), shade(finish.color, 0.8))
    if poster:
        for s in (-1, 1):
            a.box("canopy rail", (s * width / 2, 0, top), (0.13, length + 0.1, 0.13), cover.color)
            a.box("canopy rail", (0, s * length / 2, top), (width + 0.1, 0.13, 0.13), cover.color)
    return Draft(
        parts=a.parts,
        nouns=("bed",),
        adjectives=(size, "four-poster" if poster else ""),
        finish=finish.word,
        details=(
            f"a {cover.word} blanket",
            counted(pillows, "white pillow"),
            f"a {head} headboard",
            *(["a frame on four tall posts"] if poster else []),
        ),
        attributes={"pillows": pillows, "size": size, "headboard": head, "poster": int(poster)},
    )


def armchair(rng: Generator) -> Draft:
    """An armchair: one deep cushion between two arms, curved or square back."""
    a = Assembly()
    back = choose(rng, "high", "low")
    shape = choose(rng, "round", "square")
    finish, wood = pick(rng), pick(rng, "wooden", "black", "metal")
    c, dark = finish.color, shade(finish.color, 0.8)
    width, depth, seat = between(rng, 1.0, 1.15), between(rng, 0.95, 1.05), 0.55
    top = 1.65 if back == "high" else 1.1
    a.box("base", (0, 0, seat * 0.62), (width, depth, 0.38), dark)
    a.box("cushion", (0, -0.06, seat + 0.06), (width - 0.42, depth - 0.14, 0.26), c, rounding=0.1)
    if shape == "square":
        a.box("back", (0, depth / 2 - 0.1, (0.2 + top) / 2), (width, 0.24, top - 0.2), c, rounding=0.06)
    else:
        w = width / 2
        arc = [(w * np.cos(u), top - w * 0.8 + w * 0.8 * np.sin(u)) for u in np.linspace(0, np.pi, 13)]
        a.slab("back", (0, depth / 2 - 0.1, 0), [(-w, 0.2), (w, 0.2), *arc], 0.24, c, plane="xz")
    for sx in (-1, 1):
        x = sx * (width / 2 - 0.06)
        a.box("arm", (x, 0, 0.5), (0.24, depth, 0.6), dark)
        a.rod("armrest", (x, -depth / 2 - 0.02, 0.82), (x, depth / 2 - 0.02, 0.82), 0.16, c)
    legs_at_corners(a, "tapered", width, depth, 0.24, 0.16, wood.color)
    return Draft(
        parts=a.parts,
        nouns=("armchair",),
        adjectives=(f"{back}-backed",),
        finish=finish.word,
        details=(f"a {shape} back", "two padded arms", counted(4, "leg", "short", wood.word)),
        attributes={"legs": 4, "arms": 2, "back": back, "back_shape": shape},
    )
