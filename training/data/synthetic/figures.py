"""Figures and what they wear: snowman, robot, hat."""

from __future__ import annotations

import numpy as np

from .assembly import Assembly
from .captions import Draft, counted
from .palette import BARK, DARK, Color, pick, shade
from .variation import Generator, between, chance, choose, count


def snowman(rng: Generator) -> Draft:
    """A snowman: two or three balls, carrot nose, buttons; hat, scarf, stick arms are options."""
    a = Assembly()
    balls = count(rng, 2, 3)
    snow = shade((236, 240, 244), rng=rng)
    radii = [0.5, 0.37, 0.27] if balls == 3 else [0.55, 0.36]
    z = 0.0
    tops: list[float] = []
    for r in radii:
        z += r * (0.92 if not tops else 0.78)
        a.ball("ball", (0, 0, z), r, shade(snow))
        tops.append(z)
        z += r * 0.78
    head, r = tops[-1], radii[-1]
    a.rod("nose", (0, -r + 0.05, head), (0, -r - 0.3, head - 0.02), 0.08, (230, 125, 40), top=0.02)
    for sx in (-1, 1):
        a.ball("eye", (sx * 0.11, -r * 0.88, head + 0.1), 0.055, DARK)
    chest, rc = tops[-2], radii[-2]
    buttons = count(rng, 2, 3)
    for i in range(buttons):
        up = 0.55 - 0.42 * i
        a.ball("button", (0, -rc * np.cos(up), chest + rc * np.sin(up)), 0.06, DARK)
    hat, arms = choose(rng, "top hat", "bucket", "none"), chance(rng, 0.6)
    color, scarf = pick(rng, "black", "red", "blue", "green"), chance(rng, 0.5)
    wool = pick(rng, "red", "green", "blue", "yellow")
    if hat == "top hat":
        a.column("hat brim", (0, 0, head + r * 0.72), 0.34, 0.09, color.color)
        a.column("hat", (0, 0, head + r * 0.75), 0.21, 0.34, color.color)
    elif hat == "bucket":
        a.column("hat", (0, 0, head + r * 0.7), 0.25, 0.32, color.color, top=0.18)
    if arms:
        for sx in (-1, 1):
            tip = np.array([sx * 0.78, 0, chest + 0.36])
            a.rod("arm", (sx * rc * 0.7, 0, chest + 0.05), tip, 0.05, BARK)
            a.rod("twig", tip * (0.84, 1, 0.96), tip + np.array([sx * 0.02, 0, 0.2]), 0.045, BARK)
    if scarf:
        a.torus("scarf", (0, 0, (tops[-1] + tops[-2]) / 2 + 0.08), 0.23, 0.085, wool.color)
    return Draft(
        parts=a.parts,
        nouns=("snowman",),
        adjectives=({2: "short", 3: "tall"}[balls],),
        finish="white",
        details=(
            counted(balls, "snowball"),
            {
                "none": "no hat",
                "bucket": f"a {color.word} bucket on its head",
                "top hat": f"a {color.word} top hat",
            }[hat],
            *([f"a {wool.word} scarf"] if scarf else []),
            *(["two stick arms"] if arms else []),
            "a carrot nose",
        ),
        attributes={"balls": balls, "hat": hat, "arms": 2 * arms, "buttons": buttons, "scarves": int(scarf)},
    )


def _robot_head(a: Assembly, head: str, top: float, eyes: int, antennas: int, c: Color, dark: Color) -> None:
    """Head on the height of the shoulders, its eyes and antennas."""
    if head == "square":
        a.box("head", (0, 0, top + 0.27), (0.52, 0.42, 0.4), c, rounding=0.04)
    else:
        a.ball("head", (0, 0, top + 0.27), 0.26, c)
    glow = (90, 210, 230)
    for x in (0.0,) if eyes == 1 else (-0.12, 0.12):
        a.ball("eye", (x, -0.22, top + 0.3), 0.1 if eyes == 1 else 0.075, glow)
    for x in [(), (0.0,), (-0.15, 0.15)][antennas]:
        a.rod("antenna", (x, 0, top + 0.4), (x * 1.5, 0, top + 0.62), 0.04, dark)
        a.ball("antenna tip", (x * 1.5, 0, top + 0.64), 0.07, (210, 60, 50))


def robot(rng: Generator) -> Draft:
    """A robot: box or round body and head, arms, legs or tank tracks, antennas."""
    a = Assembly()
    body, head = choose(rng, "square", "round"), choose(rng, "square", "round")
    color, trim = (
        pick(rng, "metal", "metal", "white", "red", "blue", "yellow", "green", "orange"),
        pick(rng, "black", "gray", "red", "blue"),
    )
    c, dark = color.color, trim.color
    w = between(rng, 0.3, 0.4)
    base = choose(rng, "legs", "legs", "tracks")
    if base == "legs":
        for sx in (-1, 1):
            a.rod("leg", (sx * w * 0.55, 0, 0.05), (sx * w * 0.55, 0, 0.6), 0.1, dark)
            a.box("foot", (sx * w * 0.58, -0.06, 0.06), (0.25, 0.38, 0.13), c, rounding=0.03)
    else:
        for sx in (-1, 1):
            a.box("track", (sx * w * 0.9, 0, 0.19), (0.22, 0.75, 0.36), dark, rounding=0.13)
        a.column("waist", (0, 0, 0.15), 0.16, 0.45, dark)
    low, tall = 0.5, between(rng, 0.6, 0.7)
    if body == "square":
        a.box("body", (0, 0, low + tall / 2), (2 * w, 0.5, tall), c, rounding=0.05)
    else:
        a.ball("body", (0, 0, low + tall / 2), (w * 1.1, w * 0.95, tall * 0.56), c)
    a.box(
        "panel", (0, -0.23 if body == "square" else -w * 0.85, low + tall * 0.52), (w, 0.13, tall * 0.3), dark
    )
    top = low + tall
    a.column("neck", (0, 0, top - 0.08), 0.1, 0.2, dark)
    eyes, antennas = count(rng, 1, 2), count(rng, 0, 2)
    _robot_head(a, head, top, eyes, antennas, c, dark)
    pose = choose(rng, "down", "down", "raised")
    for sx in (-1, 1):
        shoulder = np.array([sx * (w + 0.1), 0, top - 0.14])
        a.ball("shoulder", shoulder, 0.13, dark)
        hand = shoulder + np.array([sx * 0.16, -0.06, -0.52 if pose == "down" else 0.5])
        a.capsule("arm", shoulder, hand, 0.085, c)
        a.ball("hand", hand, 0.125, dark)
    return Draft(
        parts=a.parts,
        nouns=("robot",),
        finish=color.word,
        details=(
            f"a {body} body",
            f"a {head} head",
            counted(eyes, "eye", "glowing"),
            *([counted(antennas, "antenna")] if antennas else []),
            "two legs" if base == "legs" else "tank tracks",
            "raised arms" if pose == "raised" else "arms at its sides",
        ),
        attributes={
            "body": body,
            "head": head,
            "eyes": eyes,
            "antennas": antennas,
            "arms": 2,
            "legs": 2 if base == "legs" else 0,
            "pose": pose,
        },
    )


def hat(rng: Generator) -> Draft:
    """A hat: top hat, wizard hat, cowboy hat or cap, on its brim."""
    a = Assembly()
    style = choose(rng, "top", "wizard", "cowboy", "baseball")
    color, band = (
        pick(rng, "black", "blue", "purple", "red", "brown", "green", "white"),
        pick(rng, "red", "golden", "white", "yellow", "black"),
    )
    wide = choose(rng, "wide", "narrow")
    brim = {"wide": between(rng, 0.85, 0.95), "narrow": between(rng, 0.62, 0.7)}[wide]
    if style == "top":
        tall = between(rng, 0.75, 1.1)
        a.column("brim", (0, 0, 0), brim, 0.1, color.color)
        a.column("crown", (0, 0, 0.03), 0.46, tall, color.color, top=0.5)
        a.column("band", (0, 0, 0.08), 0.51, 0.17, band.color)
    elif style == "wizard":
        a.column("brim", (0, 0, 0), brim, 0.1, color.color)
        a.column("crown", (0, 0, 0.04), 0.5, between(rng, 1.1, 1.4), color.color, top=0.0)
        a.column("band", (0, 0, 0.08), 0.53, 0.17, band.color, top=0.46)
    elif style == "cowboy":
        a.ball("brim", (0, 0, 0.06), (brim * 0.85, brim, 0.085), color.color)
        for sx in (-1, 1):
            a.ball("rolled edge", (sx * brim * 0.72, 0, 0.17), (0.13, brim * 0.72, 0.13), color.color)
        a.lathe(
            "crown", (0, 0, 0.05), [(0, 0), (0.42, 0), (0.36, 0.45), (0.22, 0.55), (0, 0.44)], color.color
        )
        a.column("band", (0, 0, 0.08), 0.46, 0.15, band.color, top=0.44)
    else:
        dome = [
            (0, 0),
            *[(0.62 * np.cos(u), 0.6 * np.sin(u)) for u in np.linspace(0, np.pi / 2 - 0.01, 9)],
            (0, 0.6),
        ]
        a.lathe("crown", (0, 0, 0), dome, color.color)
        bill = [(0.52 * np.cos(u), -0.25 - brim * 0.9 * np.sin(u)) for u in np.linspace(0, np.pi, 13)]
        a.slab("bill", (0, 0, 0.05), bill, 0.1, band.color)
        a.ball("button", (0, 0, 0.61), 0.08, band.color)
    noun = {"top": "top hat", "wizard": "wizard hat", "cowboy": "cowboy hat", "baseball": "baseball cap"}[
        style
    ]
    said = f"a {band.word} band" if style != "baseball" else f"a {band.word} bill"
    return Draft(
        parts=a.parts,
        nouns=(noun, "hat") if style != "baseball" else (noun,),
        finish=color.word,
        details=(
            said,
            *(
                [f"a {wide} brim"]
                if style != "baseball"
                else ["a long bill" if wide == "wide" else "a short bill"]
            ),
        ),
        attributes={"style": style, "brim": wide, "band": band.word},
    )
