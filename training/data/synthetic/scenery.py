"""Outdoor things: street lamp, fence, sign, gravestone, rock, wheel, snowman; lamps for indoors."""

from __future__ import annotations

import numpy as np

from .assembly import Assembly, ring, turn
from .captions import Draft, counted
from .palette import DARK, Color, pick, shade
from .variation import Generator, between, chance, choose, count

GLOW: Color = (250, 230, 160)


def street_lamp(rng: Generator) -> Draft:
    """A street lamp: post with a lantern on top or one or two hanging from arms."""
    a = Assembly()
    lamps = int(rng.choice([1, 1, 2]))
    top = choose(rng, "lantern", "globe")
    arms = lamps == 2 or chance(rng, 0.4)
    finish = pick(rng, "black", "metal", "green", "white")
    c = finish.color
    a.column("base", (0, 0, 0), 0.22, 0.2, c, top=0.15, sides=int(rng.choice([0, 4, 8])))
    height = 1.5 if not arms else 1.8
    a.column("post", (0, 0, 0), 0.07, height, c)
    spots = [(0.0, height)] if not arms else [(0.42, 1.38), (-0.42, 1.38)][:lamps]
    for x, z in spots:
        if arms:
            a.capsule("arm", (0, 0, 1.74), (x, 0, 1.74), 0.05, c)
            a.rod("hanger", (x, 0, z + 0.2), (x, 0, 1.74), 0.045, c)
        if top == "globe":
            a.ball("lamp", (x, 0, z + 0.14), 0.18, GLOW)
        else:
            a.column("lamp", (x, 0, z - 0.02), 0.11, 0.26, GLOW, top=0.16, sides=4)
            a.column("cap", (x, 0, z + 0.22), 0.21, 0.16, c, top=0.0 if not arms else 0.06, sides=4)
    return Draft(
        parts=a.parts,
        nouns=("street lamp",),
        adjectives=("tall",),
        finish=finish.word,
        details=(
            (counted(lamps, "lantern" if top == "lantern" else "globe"))
            + (
                " hanging from an arm"
                if arms and lamps == 1
                else " hanging from two arms"
                if arms
                else " on top"
            ),
            "a heavy base",
        ),
        attributes={"lamps": lamps, "arms": lamps * arms, "lamp_shape": top},
    )


def table_lamp(rng: Generator) -> Draft:
    """A table lamp: base, stem, shade shaped as a cone, drum or dome."""
    a = Assembly()
    shape, base = choose(rng, "cone", "drum", "dome"), choose(rng, "ball", "vase", "column")
    finish, top = (
        pick(rng, "golden", "metal", "clay", "white", "blue", "black", "wooden"),
        pick(rng, "white", "yellow", "red", "blue", "green", "orange"),
    )
    a.column("foot", (0, 0, 0), 0.34, 0.1, finish.color, sides=0 if chance(rng, 0.7) else 4)
    if base == "ball":
        a.ball("base", (0, 0, 0.38), 0.31, finish.color)
    elif base == "vase":
        a.lathe("base", (0, 0, 0.05), [(0, 0), (0.18, 0), (0.3, 0.35), (0.1, 0.75), (0, 0.75)], finish.color)
    else:
        a.column("base", (0, 0, 0.05), 0.11, 0.75, finish.color)
    a.column("stem", (0, 0, 0.3), 0.05, 0.75, finish.color)
    w = between(rng, 0.55, 0.7)
    profiles = {
        "cone": [(0, 0), (w, 0), (w * 0.4, 0.62), (0, 0.62)],
        "drum": [(0, 0), (w * 0.85, 0), (w * 0.85, 0.5), (0, 0.5)],
        "dome": [
            (0, 0),
            *[(w * np.cos(u), 0.55 * np.sin(u)) for u in np.linspace(0, np.pi / 2 - 0.01, 8)],
            (0, 0.55),
        ],
    }
    a.lathe("shade", (0, 0, 0.95), profiles[shape], top.color)
    return Draft(
        parts=a.parts,
        nouns=("table lamp", "lamp"),
        finish=finish.word,
        details=(f"a {top.word} {shape} shade", f"a {base}-shaped base"),
        attributes={"shade": shape, "base": base, "shade_color": top.word},
    )


def floor_lamp(rng: Generator) -> Draft:
    """A floor lamp: long pole, disc or tripod foot, shade on top."""
    a = Assembly()
    shape = choose(rng, "cone", "drum", "globe")
    legs = int(rng.choice([0, 3]))
    finish, top = (
        pick(rng, "black", "metal", "golden", "wooden"),
        pick(rng, "white", "yellow", "red", "blue", "green"),
    )
    if legs:
        for x, y in ring(3, 0.42, start=-90):
            a.rod("leg", (x, y, 0), (0, 0, 0.9), 0.05, finish.color)
        a.column("pole", (0, 0, 0.85), 0.05, 0.75, finish.color)
    else:
        a.column("foot", (0, 0, 0), 0.34, 0.1, finish.color)
        a.column("pole", (0, 0, 0), 0.055, 1.6, finish.color)
    w = between(rng, 0.34, 0.46)
    if shape == "globe":
        a.ball("shade", (0, 0, 1.66), 0.29, top.color)
    else:
        a.column("shade", (0, 0, 1.45), w, 0.46, top.color, top=w if shape == "drum" else w * 0.4)
    return Draft(
        parts=a.parts,
        nouns=("floor lamp", "standing lamp"),
        adjectives=("tall",),
        finish=finish.word,
        details=(f"a {top.word} {shape} shade", "three legs" if legs else "a round foot", "a thin pole"),
        attributes={"legs": legs, "shade": shape, "shade_color": top.word},
    )


def fence(rng: Generator) -> Draft:
    """A fence: counted pickets on rails (pointed or flat), or posts joined by beams."""
    a = Assembly()
    style = choose(rng, "picket", "picket", "rail")
    finish = pick(rng, "wooden", "wooden", "white", "brown", "green")
    dark = shade(finish.color, 0.85)
    half, height = 0.96, between(rng, 0.85, 1.15)
    if style == "picket":
        posts, tips = count(rng, 4, 7), choose(rng, "pointed", "flat")
        w = min(0.11, 0.6 * half / posts)
        rise = 0.13 if tips == "pointed" else 0.0
        for x in np.linspace(-half + w, half - w, posts):
            outline = [(-w, 0), (w, 0), (w, height - rise), (-w, height - rise)]
            if rise:
                outline.insert(3, (0, height))
            a.slab("picket", (x, 0, 0), outline, 0.09, finish.color, plane="xz")
        rails = 2
        details = (counted(posts, "picket", tips), counted(rails, "rail"))
    else:
        posts, rails = count(rng, 2, 4), count(rng, 2, 3)
        tips = "flat"
        for x in np.linspace(-half + 0.1, half - 0.1, posts):
            a.box("post", (x, 0, height / 2), (0.17, 0.17, height), finish.color)
        details = (counted(posts, "post", "thick"), counted(rails, "rail"))
    for z in np.linspace(0.24, height * 0.76, rails):
        at = (0, 0.07 if style == "picket" else 0, z)
        a.box("rail", at, (2 * half, 0.1, 0.12), dark)
    kind = {"pickets": posts} if style == "picket" else {"posts": posts}
    return Draft(
        parts=a.parts,
        nouns=("picket fence", "fence") if style == "picket" else ("rail fence", "fence"),
        adjectives=("low" if height < 1 else "tall",),
        finish=finish.word,
        details=details,
        attributes={**kind, "rails": rails, "tips": tips},
    )


def sign(rng: Generator) -> Draft:
    """A sign: board on one or two posts; rectangular, round, octagonal, triangular or an arrow."""
    a = Assembly()
    shape = choose(rng, "rectangular", "round", "octagonal", "triangular", "arrow-shaped")
    posts = 2 if shape == "rectangular" and chance(rng) else 1
    color, post = (
        pick(rng, "wooden", "red", "white", "blue", "yellow", "green"),
        pick(rng, "wooden", "metal", "black"),
    )
    z = 1.42
    outlines: dict[str, list[tuple[float, float]]] = {
        "rectangular": [(-0.7, -0.36), (0.7, -0.36), (0.7, 0.36), (-0.7, 0.36)],
        "round": ring(28, 0.46),
        "octagonal": ring(8, 0.5, start=22.5),
        "triangular": [(-0.55, -0.38), (0.55, -0.38), (0, 0.56)],
        "arrow-shaped": [
            (-0.7, -0.2),
            (0.3, -0.2),
            (0.3, -0.38),
            (0.78, 0),
            (0.3, 0.38),
            (0.3, 0.2),
            (-0.7, 0.2),
        ],
    }
    a.slab("board", (0, -0.09, z), outlines[shape], 0.11, color.color, plane="xz")
    for x in (0.0,) if posts == 1 else (-0.45, 0.45):
        a.box("post", (x, 0, z / 2 + 0.1), (0.12, 0.12, z + 0.2), post.color)
    if posts == 1 and chance(rng, 0.5):
        a.box("foot", (0, 0, 0.05), (0.5, 0.4, 0.1), shade(post.color, 0.8))
    return Draft(
        parts=a.parts,
        nouns=("sign",),
        adjectives=(shape,),
        finish=color.word,
        details=(counted(posts, "post", post.word), "a blank board"),
        attributes={"posts": posts, "shape": shape},
    )


def gravestone(rng: Generator) -> Draft:
    """A gravestone: rounded, pointed or flat slab or a cross, on a plinth."""
    a = Assembly()
    shape = choose(rng, "rounded", "pointed", "flat-topped", "cross")
    finish = pick(rng, "stone", "stone", "gray", "black", "white")
    w, height, depth = between(rng, 0.45, 0.58), between(rng, 1.2, 1.5), between(rng, 0.24, 0.32)
    if shape == "cross":
        a.box("upright", (0, 0, 0.9), (0.28, depth * 0.9, 1.7), finish.color)
        a.box("crossbar", (0, 0, 1.25), (1.05, depth * 0.9, 0.28), finish.color)
    else:
        tops: dict[str, list[tuple[float, float]]] = {
            "rounded": [(w * np.cos(u), height + w * np.sin(u)) for u in np.linspace(0, np.pi, 15)],
            "pointed": [(w, height), (0, height + 0.42), (-w, height)],
            "flat-topped": [(w, height), (-w, height)],
        }
        a.slab("slab", (0, 0, 0), [(-w, 0), (w, 0), *tops[shape]], depth, finish.color, plane="xz")
    base = chance(rng, 0.7)
    if base or shape == "cross":
        a.box("plinth", (0, 0, 0.11), (2 * w + 0.34, depth + 0.34, 0.22), shade(finish.color, 0.8))
    mark = shape != "cross" and chance(rng, 0.5)
    if mark:
        z = height * 0.72
        a.box("engraving", (0, -depth / 2, z), (0.11, 0.14, 0.62), shade(finish.color, 0.6))
        a.box("engraving", (0, -depth / 2, z + 0.12), (0.4, 0.14, 0.11), shade(finish.color, 0.6))
    return Draft(
        parts=a.parts,
        nouns=("gravestone", "grave"),
        adjectives=(shape if shape != "cross" else "cross-shaped",),
        finish=finish.word,
        details=(
            "a wide plinth" if base or shape == "cross" else "no plinth",
            *(["a raised cross on its face"] if mark else []),
        ),
        attributes={"shape": shape, "plinths": int(base or shape == "cross"), "mark": int(mark)},
    )


def rock(rng: Generator) -> Draft:
    """A rock or a pile: faceted hulls, tall, flat or boulder-like."""
    a = Assembly()
    shape = choose(rng, "tall", "flat", "rounded")
    stones = int(rng.choice([1, 1, 2, 3]))
    finish = pick(rng, "stone", "gray", "gray", "brown")
    moss = chance(rng, 0.25)
    scale = {"tall": (0.5, 0.5, 0.9), "flat": (0.9, 0.8, 0.32), "rounded": (0.7, 0.7, 0.6)}[shape]
    places = [(0.0, 0.0, 1.0), (0.8, -0.3, 0.5), (-0.7, -0.4, 0.42)][:stones]
    for x, y, s in places:
        n = 26 if shape == "rounded" else 16
        directions = rng.standard_normal((n, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        corners = directions * rng.uniform(0.88, 1.0, (n, 1)) * np.asarray(scale) * s
        low = corners[:, 2].min()
        a.hull(
            "stone",
            corners.tolist(),
            shade(finish.color, rng=rng),
            at=(x * scale[0] * 1.5, y * scale[1] * 1.5, -low),
        )
        if moss:
            a.ball(
                "moss",
                (x * scale[0] * 1.5, y * scale[1] * 1.5, corners[:, 2].max() - low - 0.03),
                (scale[0] * 0.42 * s, scale[1] * 0.42 * s, 0.09),
                (95, 125, 60),
            )
    return Draft(
        parts=a.parts,
        nouns=("rock",) if stones == 1 else ("group of rocks",),
        adjectives=(shape,) if stones == 1 else (),
        finish=finish.word if stones == 1 and finish.word != "stone" else "",
        details=(
            *([counted(stones, f"{shape} {finish.word} stones")] if stones > 1 else []),
            "rough faces",
            *(["green moss on top"] if moss else []),
        ),
        attributes={"stones": stones, "shape": shape, "moss": int(moss)},
    )


def wheel(rng: Generator) -> Draft:
    """A wheel standing on its rim: spoked cart wheel, solid disc or a thick car tire."""
    a = Assembly()
    style = choose(rng, "spoked", "spoked", "solid", "tire")
    spokes = count(rng, 4, 8) if style == "spoked" else 0
    upright = turn("y", 90)
    if style == "spoked":
        finish = pick(rng, "wooden", "wooden", "metal", "red")
        rim = 0.1
        a.torus("rim", (0, 0, 0), 0.86, rim, finish.color, rotation=upright)
        for y, z in ring(spokes, 0.84, start=90):
            a.rod("spoke", (0, 0, 0), (0, y, z), 0.06, shade(finish.color, 0.85))
        a.rod("hub", (-0.17, 0, 0), (0.17, 0, 0), 0.2, shade(finish.color, 0.7))
    elif style == "solid":
        finish = pick(rng, "stone", "wooden", "metal")
        a.rod("disc", (-0.13, 0, 0), (0.13, 0, 0), 0.94, finish.color)
        a.rod("hub", (-0.22, 0, 0), (0.22, 0, 0), 0.24, shade(finish.color, 0.7))
    else:
        finish = pick(rng, "black")
        a.torus("tire", (0, 0, 0), 0.7, 0.25, finish.color, rotation=upright)
        a.rod("disc", (-0.1, 0, 0), (0.1, 0, 0), 0.56, (175, 178, 184))
        a.rod("hub", (-0.16, 0, 0), (0.16, 0, 0), 0.17, DARK)
    said = {
        "spoked": counted(spokes, "spoke") if spokes else "",
        "solid": "a solid disc",
        "tire": "a thick rubber tire",
    }[style]
    return Draft(
        parts=a.parts,
        nouns=({"spoked": "wagon wheel", "solid": "disc wheel", "tire": "car wheel"}[style], "wheel"),
        finish=finish.word,
        details=(said, "a hub in the middle"),
        attributes={"spokes": spokes, "style": style},
    )
