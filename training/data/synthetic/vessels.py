"""Things that hold things: mug, bottle, bowl, vase, barrel, bucket."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from .assembly import Assembly, turn
from .captions import Draft, counted
from .palette import STEEL, pick, shade
from .variation import Generator, between, choose

Profile = list[tuple[float, float]]


def hollow(outside: Profile, wall: float, floor: float) -> Profile:
    """Closed profile of an open vessel from its outside, bottom to rim: walls, floor and the space inside."""
    inside = [(max(r - wall, 0.0), max(z, floor)) for r, z in outside if z > floor]
    floor_radius = float(np.interp(floor, [z for _, z in outside], [r for r, _ in outside])) - wall
    return [(0, outside[0][1]), *outside, *inside[::-1], (max(floor_radius, 0.0), floor), (0, floor)]


def smooth(points: Profile, n: int = 7) -> Profile:
    """A rounder version of an outline: n points a segment of a monotone cubic in z."""
    radii, heights = np.array(points).T
    z = np.linspace(heights[0], heights[-1], n)
    return [(float(r), float(h)) for r, h in zip(PchipInterpolator(heights, radii)(z), z, strict=True)]


def mug(rng: Generator) -> Draft:
    """A mug with a handle on its right; straight, flared or rounded."""
    a = Assembly()
    tall = choose(rng, "tall", "short", "")
    height = {"tall": between(rng, 1.7, 1.9), "short": between(rng, 0.85, 0.95), "": 1.3}[tall]
    shape = choose(rng, "straight", "flared", "rounded")
    r = between(rng, 0.56, 0.64)
    finish = pick(rng)
    outside = {
        "straight": [(r, 0.0), (r, height)],
        "flared": [(r * 0.68, 0.0), (r * 1.1, height)],
        "rounded": [(r * 0.7, 0.0), (r * 1.02, height * 0.25), (r * 1.08, height * 0.5), (r * 0.9, height)],
    }[shape]
    a.lathe("body", (0, 0, 0), hollow(outside, 0.1, 0.14), finish.color)
    x = {"straight": r, "flared": r * 0.9, "rounded": r}[shape] - 0.05
    ring = choose(rng, "small", "large")
    size = (0.36 if ring == "large" else 0.24) * min(height, 1.3)
    a.torus("handle", (x, 0, height * 0.52), size, 0.085, finish.color, arc=92, rotation=turn("x", 90))
    return Draft(
        parts=a.parts,
        nouns=("mug",),
        adjectives=(tall, shape),
        finish=finish.word,
        details=(f"a {ring} handle", "an open top"),
        attributes={"handles": 1, "shape": shape, "height": tall or "medium", "handle_size": ring},
    )


def bottle(rng: Generator) -> Draft:
    """A bottle: body, shoulder, neck and cap; round or square."""
    a = Assembly()
    body = choose(rng, "narrow", "wide")
    r = between(rng, 0.24, 0.3) if body == "narrow" else between(rng, 0.46, 0.56)
    height, neck = 1.9, choose(rng, "long", "short")
    shoulder = 0.95 if neck == "long" else 1.4
    section = choose(rng, "round", "round", "square")
    finish = pick(rng, "green", "brown", "blue", "white", "red", "black")
    slope = 0.25 if body == "wide" else 0.15
    profile = [
        (0, 0),
        (r, 0),
        (r, shoulder),
        (0.13, shoulder + slope),
        (0.13, height - 0.1),
        (0, height - 0.1),
    ]
    a.lathe("body", (0, 0, 0), profile, finish.color, sides=0 if section == "round" else 4)
    cap = pick(rng, "red", "black", "golden", "white")
    a.column("cap", (0, 0, height - 0.17), 0.17, 0.17, cap.color)
    label = rng.random() < 0.4
    if label:
        sides = 0 if section == "round" else 4
        a.column("label", (0, 0, shoulder * 0.3), r + 0.03, shoulder * 0.4, (232, 224, 205), sides=sides)
    return Draft(
        parts=a.parts,
        nouns=("bottle",),
        adjectives=(body, section if section == "square" else ""),
        finish=finish.word,
        details=(f"a {neck} neck", f"a {cap.word} cap", *(["a paper label"] if label else [])),
        attributes={"neck": neck, "body": body, "section": section, "labels": int(label)},
    )


def bowl(rng: Generator) -> Draft:
    """A bowl: shallow or deep, perhaps on a foot."""
    a = Assembly()
    depth = choose(rng, "shallow", "deep")
    height = between(rng, 0.3, 0.4) if depth == "shallow" else between(rng, 0.85, 1.0)
    finish = pick(rng, "wooden", "clay", "white", "blue", "red", "green", "metal", "golden")
    outside = smooth([(0.4, 0.0), (0.78, height * 0.4), (0.96, height)])
    foot = rng.random() < 0.5
    a.lathe("body", (0, 0, 0.14 if foot else 0), hollow(outside, 0.1, 0.1), finish.color)
    if foot:
        a.column("foot", (0, 0, 0), 0.42, 0.18, shade(finish.color, 0.8), top=0.36)
    return Draft(
        parts=a.parts,
        nouns=("bowl",),
        adjectives=(depth,),
        finish=finish.word,
        details=("a foot ring" if foot else "a flat bottom", "an open top"),
        attributes={"depth": depth, "feet": int(foot)},
    )


def vase(rng: Generator) -> Draft:
    """A vase: slender or bulbous, narrow or flared mouth, perhaps two handles."""
    a = Assembly()
    shape = choose(rng, "slender", "bulbous", "conical")
    mouth = choose(rng, "narrow", "flared")
    m = 0.2 if mouth == "narrow" else 0.46
    corners = {
        "slender": [(0.24, 0.0), (0.36, 0.8), (0.2, 1.5), (m, 1.9)],
        "bulbous": [(0.36, 0.0), (0.74, 0.65), (0.24, 1.4), (m, 1.75)],
        "conical": [(0.2, 0.0), (0.56, 1.2), (0.3, 1.55), (m, 1.85)],
    }[shape]
    finish = pick(rng, "clay", "white", "blue", "green", "red", "golden", "black")
    a.lathe("body", (0, 0, 0), hollow(smooth(corners, 11), 0.1, 0.16), finish.color)
    handles = rng.random() < 0.35
    if handles:
        for sx in (-1, 1):
            rotation = turn("x", 90) if sx > 0 else turn("z", 180) @ turn("x", 90)
            a.torus("handle", (sx * 0.2, 0, 1.3), 0.33, 0.075, finish.color, arc=95, rotation=rotation)
    return Draft(
        parts=a.parts,
        nouns=("vase",),
        adjectives=(shape,),
        finish=finish.word,
        details=(f"a {mouth} mouth", counted(2, "handle") if handles else "no handles"),
        attributes={"shape": shape, "mouth": mouth, "handles": 2 * handles},
    )


def barrel(rng: Generator) -> Draft:
    """A wooden or metal barrel with hoops, standing or lying."""
    a = Assembly()
    shape = choose(rng, "tall", "wide")
    height, r = (1.8, between(rng, 0.5, 0.58)) if shape == "tall" else (1.3, between(rng, 0.66, 0.76))
    finish = pick(rng, "wooden", "wooden", "metal", "red", "blue", "green")
    hoops = int(rng.integers(2, 5))
    bulge = r * (0.8 if finish.word == "wooden" else 1.0)
    outline = [(0, 0), *smooth([(bulge, 0.0), (r, height / 2), (bulge, height)], 9), (0, height)]
    a.lathe("body", (0, 0, 0), outline, finish.color)
    for z in np.linspace(0.1, height - 0.22, hoops):
        wide = float(np.interp(z + 0.06, [p[1] for p in outline[1:-1]], [p[0] for p in outline[1:-1]])) + 0.06
        a.column(
            "hoop", (0, 0, z), wide, 0.12, STEEL if finish.word == "wooden" else shade(finish.color, 0.7)
        )
    return Draft(
        parts=a.parts,
        nouns=("barrel",),
        adjectives=(shape,),
        finish=finish.word,
        details=(counted(hoops, "hoop", "metal") if finish.word == "wooden" else counted(hoops, "ring"),),
        attributes={"hoops": hoops, "shape": shape},
    )


def bucket(rng: Generator) -> Draft:
    """A bucket: open, wider at the top, with a bail handle up or none."""
    a = Assembly()
    height, r = between(rng, 1.0, 1.25), between(rng, 0.6, 0.72)
    finish = pick(rng, "metal", "wooden", "blue", "red", "yellow", "green")
    a.lathe("body", (0, 0, 0), hollow([(r * 0.7, 0.0), (r, height)], 0.09, 0.12), finish.color)
    a.torus("rim", (0, 0, height), r, 0.065, shade(finish.color, 0.75))
    a.torus("handle", (0, 0, height), r, 0.05, shade(finish.color, 0.6), arc=90, rotation=turn("y", -90))
    return Draft(
        parts=a.parts,
        nouns=("bucket", "pail"),
        adjectives=("tall" if height > 1.15 else "",),
        finish=finish.word,
        details=("a raised handle", "a thick rim"),
        attributes={"handles": 1},
    )


def teapot(rng: Generator) -> Draft:
    """A teapot: round, tall or flat body, spout to the left, handle to the right, lid with a knob."""
    a = Assembly()
    shape = choose(rng, "round", "tall", "flat")
    w, h = {"round": (0.55, 0.5), "tall": (0.44, 0.66), "flat": (0.64, 0.36)}[shape]
    finish, trim = (
        pick(rng, "white", "blue", "red", "green", "black", "clay", "metal", "yellow"),
        choose(rng, "same", "golden"),
    )
    knob = pick(rng, "golden").color if trim == "golden" else shade(finish.color, 0.7)
    a.ball("body", (0, 0, h), (w, w, h), finish.color)
    a.column("foot", (0, 0, -0.02), w * 0.62, 0.14, shade(finish.color, 0.85))
    a.ball("lid", (0, 0, 2 * h * 0.94), (w * 0.5, w * 0.5, 0.14), shade(finish.color, 0.85))
    a.ball("knob", (0, 0, 2 * h + 0.12), 0.1, knob)
    tip = (-w - 0.38, 0, h * 1.55 + 0.1)
    a.rod("spout", (-w * 0.7, 0, h * 0.7), tip, 0.17, finish.color, top=0.085)
    a.torus("handle", (w * 0.92, 0, h), h * 0.62, 0.075, finish.color, arc=105, rotation=turn("x", 90))
    return Draft(
        parts=a.parts,
        nouns=("teapot",),
        adjectives=(shape,),
        finish=finish.word,
        details=(
            "a curved handle",
            "a long spout",
            "a golden knob on the lid" if trim == "golden" else "a small lid with a knob",
        ),
        attributes={"shape": shape, "handles": 1, "spouts": 1, "knob": trim},
    )
