"""Things that grow: leafy tree, pine, palm, cactus, mushroom, potted flower."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .assembly import Assembly, along, ring
from .captions import Draft, counted
from .objects import Matrix
from .palette import BARK, LEAF, pick, shade
from .variation import Generator, between, chance, choose, count


def tree(rng: Generator) -> Draft:
    """A leafy tree: trunk and a crown that is one ball, an oval or several balls."""
    a = Assembly()
    crown = choose(rng, "round", "oval", "fluffy")
    trunk = choose(rng, "thick", "thin")
    height = between(rng, 0.75, 0.95)
    radius = between(rng, 0.15, 0.2) if trunk == "thick" else between(rng, 0.07, 0.09)
    season = choose(rng, "green", "green", "orange", "red", "pink")
    leaf = shade(LEAF, rng=rng) if season == "green" else pick(rng, season).color
    bark = shade(BARK, rng=rng)
    a.column("trunk", (0, 0, 0), radius * 1.3, height + 0.2, bark, top=radius)
    if crown == "round":
        r = between(rng, 0.52, 0.64)
        a.ball("crown", (0, 0, height + r * 0.8), r, leaf)
    elif crown == "oval":
        a.ball("crown", (0, 0, height + 0.55), (0.42, 0.42, 0.68), leaf)
    else:
        a.ball("crown", (0, 0, height + 0.62), 0.42, leaf)
        n = count(rng, 4, 5)
        for x, y in ring(n, 0.42, start=between(rng, 0, 90)):
            a.ball(
                "crown", (x, y, height + between(rng, 0.22, 0.4)), between(rng, 0.3, 0.38), shade(leaf, 0.92)
            )
    branches = count(rng, 1, 2) if trunk == "thin" and crown != "oval" and chance(rng, 0.5) else 0
    for i in range(branches):
        side = 1 if i == 0 else -1
        a.rod("branch", (0, 0, height * 0.45), (side * 0.42, 0, height * 0.8), 0.06, bark)
        a.ball("leaf ball", (side * 0.5, 0, height * 0.86), 0.19, shade(leaf, 1.1))
    return Draft(
        parts=a.parts,
        nouns=("tree",),
        adjectives=(crown,),
        finish=season,
        details=(
            f"a {trunk} trunk",
            {"round": "a ball-shaped crown", "oval": "an oval crown", "fluffy": "a cloud-like crown"}[crown],
            *([counted(branches, "side branches" if branches > 1 else "side branch")] if branches else []),
        ),
        attributes={"crown": crown, "trunk": trunk, "branches": branches, "leaves": season},
    )


def pine(rng: Generator) -> Draft:
    """A conifer: two to five cones stacked on a trunk, green or snowy."""
    a = Assembly()
    layers, shape = count(rng, 2, 5), choose(rng, "wide", "narrow")
    radius = between(rng, 0.62, 0.74) if shape == "wide" else between(rng, 0.36, 0.44)
    snowy = chance(rng, 0.25)
    leaf = shade((215, 225, 228), rng=rng) if snowy else shade((40, 100, 60), rng=rng)
    a.column("trunk", (0, 0, 0), between(rng, 0.1, 0.14), 0.6, shade(BARK, rng=rng))
    bottom, top = between(rng, 0.3, 0.4), 1.9
    step = (top - bottom) / (layers + 0.25)
    for i in range(layers):
        z, r = bottom + i * step, radius * (1 - 0.75 * i / layers)
        end = step * 1.25
        a.column(
            "layer", (0, 0, z), r, end, shade(leaf, 0.9 + 0.06 * i), top=0.0 if i == layers - 1 else r * 0.18
        )
    return Draft(
        parts=a.parts,
        nouns=("pine tree", "pine"),
        adjectives=("snowy" if snowy else "", shape),
        finish="white" if snowy else "green",
        details=(counted(layers, "layer") + " of branches", "a short trunk"),
        attributes={"layers": layers, "shape": shape, "snow": int(snowy)},
    )


def palm(rng: Generator) -> Draft:
    """A palm: curved or straight trunk, drooping fronds, perhaps coconuts."""
    a = Assembly()
    bent = choose(rng, "curved", "straight")
    lean = between(rng, 0.3, 0.45) if bent == "curved" else 0.0
    fronds = count(rng, 5, 8)
    bark, leaf = shade((150, 115, 75), rng=rng), shade((70, 145, 60), rng=rng)
    height = 1.45
    spine = [(-lean * (1 - (t - 1) ** 2) + lean, 0.0, height * t) for t in np.linspace(0, 1, 5)]
    for i, (low, high) in enumerate(pairwise(spine)):
        a.capsule("trunk", low, high, 0.13 - 0.012 * i, shade(bark, 0.95 if i % 2 else 1.05))
    x0 = spine[-1][0]
    for x, y in ring(fronds, 1.0, start=between(rng, 0, 60)):
        knots = np.array(
            [
                (x0, 0, height),
                (x0 + 0.38 * x, 0.38 * y, height + 0.13),
                (x0 + 0.8 * x, 0.8 * y, height - 0.2),
            ]
        )
        for name, start, end in zip(("frond", "frond tip"), knots[:-1], knots[1:], strict=True):
            reach = float(np.linalg.norm(end - start)) * 0.62
            a.ball(name, (start + end) / 2, (0.115, 0.05, reach), leaf, _blade(end - start))
    coconuts = count(rng, 2, 3) if chance(rng, 0.5) else 0
    for x, y in ring(coconuts, 0.16, start=-60) if coconuts else []:
        a.ball("coconut", (x0 + x, y, height - 0.14), 0.11, (95, 65, 40))
    return Draft(
        parts=a.parts,
        nouns=("palm tree", "palm"),
        adjectives=(bent, "tropical"),
        details=(
            counted(fronds, "long leaves"),
            *([counted(coconuts, "coconut")] if coconuts else []),
            f"a {bent} trunk",
        ),
        attributes={"leaves": fronds, "coconuts": coconuts, "trunk": bent},
    )


def _blade(direction: NDArray[np.float64]) -> Matrix:
    """Rotation of a leaf along the direction, its flat side up."""
    z = direction / np.linalg.norm(direction)
    x = np.cross([0, 0, 1.0], z)
    x = x / np.linalg.norm(x) if np.linalg.norm(x) > 1e-6 else along(z)[:, 0]
    return np.stack([x, np.cross(z, x), z], axis=1)


def cactus(rng: Generator) -> Draft:
    """A cactus: column with bent arms, or a ball; perhaps in a pot, perhaps flowering."""
    a = Assembly()
    shape = choose(rng, "tall", "tall", "tall", "round")
    arms = count(rng, 1, 3) if shape == "tall" else 0
    green = shade((75, 135, 75), rng=rng)
    potted = shape == "round" or chance(rng, 0.5)
    base = 0.45 if potted else 0.0
    if potted:
        a.column("pot", (0, 0, 0), 0.3, 0.5, (186, 112, 78), top=0.4)
        a.column("pot rim", (0, 0, 0.42), 0.46, 0.13, (170, 98, 66))
    if shape == "round":
        a.ball("body", (0, 0, base + 0.42), (0.5, 0.5, 0.48), green)
        top = base + 0.9
    else:
        top = 1.75
        a.capsule("body", (0, 0, base + 0.1), (0, 0, top - 0.2), 0.2, green)
    for i in range(arms):
        side = (-1, 1, -1)[i]
        z, reach = (base + 0.45, base + 0.62, base + 0.95)[i], (0.48, 0.48, 0.44)[i]
        rise = (0.4, 0.5, 0.24)[i]
        a.capsule("elbow", (0, 0, z), (side * reach, 0, z), 0.12, shade(green, 0.92))
        a.capsule("arm", (side * reach, 0, z), (side * reach, 0, z + rise), 0.125, shade(green, 0.95))
    flower = shape == "round" or chance(rng, 0.4)
    color = choose(rng, "pink", "yellow", "red")
    if flower:
        a.ball("flower", (0, 0, top), (0.16, 0.16, 0.11), pick(rng, color).color)
    arms_said = counted(arms, "arm") if arms else "no arms"
    return Draft(
        parts=a.parts,
        nouns=("cactus",),
        adjectives=(shape, "potted" if potted else "desert"),
        finish="green",
        details=(
            arms_said,
            *([f"a {color} flower on top"] if flower else []),
            *(["a clay pot"] if potted else []),
        ),
        attributes={"arms": arms, "shape": shape, "pots": int(potted), "flowers": int(flower)},
    )


def mushroom(rng: Generator) -> Draft:
    """One to three mushrooms: stem, domed, flat or pointed cap, perhaps dots."""
    a = Assembly()
    cap = choose(rng, "domed", "flat", "pointed")
    stem = choose(rng, "thick", "thin")
    color = pick(rng, "red", "brown", "white", "purple", "orange", "blue")
    stems = count(rng, 1, 3) if chance(rng, 0.4) else 1
    dots = chance(rng, 0.5)
    radius = 0.24 if stem == "thick" else 0.12
    places = [(0.0, 0.0, 1.0), (0.62, -0.3, 0.6), (-0.55, -0.32, 0.48)][:stems]
    for x, y, s in places:
        h = between(rng, 0.8, 0.95) * s
        a.column("stem", (x, y, 0), radius * s * 1.25, h + 0.05, (232, 224, 205), top=radius * s)
        w = 0.68 * s
        rise = {"domed": 0.6, "flat": 0.26, "pointed": 0.95}[cap] * s
        if cap == "pointed":
            curve = [(0, 0), (w, 0), (w, 0.08 * s), (w * 0.4, rise * 0.5), (0, rise)]
        else:
            angles = np.linspace(0, np.pi / 2, 8)
            curve = [(0, 0), *((w * np.cos(u), rise * np.sin(u)) for u in angles)]
            curve[-1] = (0, rise)
        a.lathe("cap", (x, y, h), curve, color.color)
        if dots and cap != "pointed":
            for u, v in ring(5, w * 0.66, start=-90):
                a.ball("dot", (x + u, y + v, h + rise * 0.72), 0.1 * s + 0.03, (245, 240, 230))
            a.ball("dot", (x, y, h + rise - 0.02), 0.1 * s + 0.04, (245, 240, 230))
    dotted = dots and cap != "pointed"
    return Draft(
        parts=a.parts,
        nouns=("mushroom",) if stems == 1 else ("group of mushrooms",),
        adjectives=() if stems > 1 else ("spotted" if dotted else "",),
        finish=color.word if stems == 1 else "",
        details=(
            f"{counted(stems, f'{cap} {color.word} cap')}",
            f"a {stem} white stem" if stems == 1 else f"{stem} white stems",
            *(["white dots"] if dotted else []),
        ),
        attributes={"stems": stems, "cap": cap, "stem": stem, "dots": int(dotted)},
    )


def flower(rng: Generator) -> Draft:
    """A flower in a pot: stem, round petals about a centre, two leaves."""
    a = Assembly()
    petals = count(rng, 5, 8)
    color, pot = (
        pick(rng, "red", "yellow", "pink", "white", "purple", "orange", "blue"),
        pick(rng, "clay", "white", "blue"),
    )
    section = choose(rng, "round", "square")
    stem = choose(rng, "tall", "short")
    height = 1.5 if stem == "tall" else 1.05
    a.column("pot", (0, 0, 0), 0.26, 0.5, pot.color, top=0.36, sides=0 if section == "round" else 4)
    a.column("rim", (0, 0, 0.42), 0.42, 0.13, shade(pot.color, 0.85), sides=0 if section == "round" else 4)
    a.rod("stem", (0, 0, 0.4), (0, 0, height), 0.055, (70, 130, 60))
    leaves = count(rng, 1, 2)
    for i in range(leaves):
        side = 1 if i == 0 else -1
        direction = np.array([side * 0.5, 0.0, 0.35])
        a.ball("leaf", (side * 0.22, 0, 0.78), (0.12, 0.05, 0.26), (85, 150, 70), _blade(direction))
    r = 0.3 if petals > 6 else 0.28
    for x, z in ring(petals, r, start=90):
        a.ball("petal", (x, -0.06, height + z), (0.15, 0.075, 0.15), color.color)
    center = (235, 200, 60) if color.word != "yellow" else (120, 80, 45)
    a.ball("center", (0, -0.1, height), (0.17, 0.12, 0.17), center)
    return Draft(
        parts=a.parts,
        nouns=("flower", "potted flower"),
        adjectives=(stem,),
        finish=color.word,
        details=(
            counted(petals, "petal", color.word),
            counted(leaves, "leaf") if leaves == 1 else "two leaves",
            f"a {section} pot",
        ),
        attributes={"petals": petals, "leaves": leaves, "pot": section, "stem": stem},
    )
