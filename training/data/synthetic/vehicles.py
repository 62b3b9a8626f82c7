"""Things that go, nose towards -Y: car, truck, airplane, sailboat, rocket."""

from __future__ import annotations

from .assembly import Assembly, ring, turn
from .captions import Draft, counted
from .palette import DARK, GLASS, Color, pick, shade
from .variation import Generator, between, chance, choose, count

TIRE: Color = (38, 38, 40)


def _wheels(a: Assembly, half_track: float, ys: list[float], radius: float, width: float) -> None:
    for y in ys:
        for sx in (-1, 1):
            x = sx * half_track
            a.rod("wheel", (x - width / 2, y, radius), (x + width / 2, y, radius), radius, TIRE)
            end = x + sx * (width / 2 + 0.03)
            a.rod("hub", (x, y, radius), (end, y, radius), radius * 0.5, (190, 192, 196))


def _upper_body(a: Assembly, style: str, width: float, half: float, belt: float, color: Color) -> None:
    """What stands above the belt line of a car: cabin or windshield and seats, cargo bed."""
    x, t = width / 2 - 0.04, width / 2 - 0.12
    front, rear = (
        -0.42,
        {"sedan": 0.62, "hatchback": 0.9, "pickup": 0.16, "convertible": 0.0, "van": 0.92}[style],
    )
    if style == "van":
        front = -0.75
    tall = 0.34 if style != "van" else 0.55
    if style != "convertible":
        slope_front, slope_rear = (0.24, 0.2) if style == "sedan" else (0.22, 0.08)
        low = [(s * x, y, belt - 0.05) for s in (-1, 1) for y in (front, rear)]
        high = [(s * t, y, belt + tall) for s in (-1, 1) for y in (front + slope_front, rear - slope_rear)]
        a.hull("cabin", [*low, *high], GLASS)
        a.box(
            "roof",
            (0, (front + slope_front + rear - slope_rear) / 2, belt + tall),
            (2 * t + 0.05, rear - slope_rear - front - slope_front + 0.06, 0.07),
            color,
        )
    else:
        a.box(
            "windshield",
            (0, front + 0.05, belt + 0.12),
            (width - 0.14, 0.08, 0.3),
            GLASS,
            rotation=turn("x", -20),
        )
        for sx in (-1, 1):
            a.box("seat", (sx * 0.19, 0.2, belt + 0.08), (0.27, 0.12, 0.32), (95, 60, 45), rounding=0.04)
    if style == "pickup":
        for sx in (-1, 1):
            a.box("bed wall", (sx * (width / 2 - 0.04), 0.56, belt + 0.06), (0.08, 0.8, 0.2), color)
        a.box("tailgate", (0, half - 0.04, belt + 0.06), (width, 0.08, 0.2), color)


def car(rng: Generator) -> Draft:
    """A car: sedan, hatchback, pickup, convertible or van, on four wheels."""
    a = Assembly()
    style = choose(rng, "sedan", "hatchback", "pickup", "convertible", "van")
    color = pick(rng)
    half, width = 0.96, between(rng, 0.82, 0.92)
    radius = choose(rng, "big", "small")
    r = 0.25 if radius == "big" else 0.19
    z0, belt = r * 0.75, r + 0.3
    a.box("body", (0, 0, (z0 + belt) / 2), (width, 2 * half, belt - z0), color.color, rounding=0.06)
    _upper_body(a, style, width, half, belt, color.color)
    _wheels(a, width / 2 - 0.03, [-0.58, 0.58], r, 0.16)
    for sx in (-1, 1):
        a.ball(
            "headlight", (sx * width * 0.32, -half + 0.02, belt - 0.14), (0.1, 0.06, 0.08), (245, 235, 190)
        )
    a.box("bumper", (0, -half, z0 + 0.08), (width * 0.9, 0.09, 0.1), shade(color.color, 0.5))
    nouns = {
        "sedan": ("car",),
        "hatchback": ("hatchback car", "car"),
        "pickup": ("pickup truck",),
        "convertible": ("convertible car", "car"),
        "van": ("van",),
    }[style]
    return Draft(
        parts=a.parts,
        nouns=nouns,
        adjectives=(),
        finish=color.word,
        details=(
            counted(4, "wheel", radius, "black"),
            {
                "sedan": "a low trunk",
                "hatchback": "a sloping back",
                "pickup": "an open cargo bed",
                "convertible": "an open top",
                "van": "a tall boxy cabin",
            }[style],
            "two headlights",
        ),
        attributes={"wheels": 4, "style": style, "wheel_size": radius},
    )


def truck(rng: Generator) -> Draft:
    """A truck: cab and a cargo box, tank or flat bed, on four or six wheels."""
    a = Assembly()
    cargo = choose(rng, "box", "tank", "flatbed", "dump")
    color, load = pick(rng), pick(rng, "white", "metal", "yellow", "red", "green", "blue", "orange")
    axles = count(rng, 2, 3)
    width, half, r = 0.66, 0.96, 0.18
    a.box("chassis", (0, 0, r + 0.1), (width * 0.8, 2 * half - 0.06, 0.16), DARK)
    cab = between(rng, 0.42, 0.5)
    y = -half + cab / 2
    a.box("cab", (0, y, 0.56), (width, cab, 0.72), color.color, rounding=0.04)
    a.box("windshield", (0, -half, 0.72), (width - 0.14, 0.08, 0.24), GLASS)
    a.box("bumper", (0, -half, 0.22), (width, 0.12, 0.12), DARK)
    start, length = -half + cab + 0.08, 2 * half - cab - 0.08
    middle = start + length / 2
    if cargo == "box":
        a.box("cargo", (0, middle, 0.68), (width + 0.06, length, 0.82), load.color)
    elif cargo == "tank":
        a.rod("cargo", (0, start, 0.62), (0, start + length, 0.62), 0.34, load.color)
        a.box("saddle", (0, middle, 0.34), (width * 0.7, length * 0.8, 0.16), DARK)
    elif cargo == "flatbed":
        a.box("cargo", (0, middle, 0.38), (width, length, 0.12), load.color)
    else:
        _dump_bed(a, (start, start + length), width, load.color)
    ys = [-half + 0.3, half - 0.28] + ([half - 0.68] if axles == 3 else [])
    _wheels(a, width / 2 - 0.04, ys, r, 0.15)
    said = {
        "box": f"a big {load.word} cargo box",
        "tank": f"a round {load.word} tank",
        "flatbed": f"an empty {load.word} flat bed",
        "dump": f"an open {load.word} dump bed",
    }[cargo]
    return Draft(
        parts=a.parts,
        nouns=(
            {"box": "truck", "tank": "tanker truck", "flatbed": "flatbed truck", "dump": "dump truck"}[cargo],
        ),
        finish=color.word,
        details=(said, counted(2 * axles, "wheel", "black"), f"a {color.word} cab"),
        attributes={"wheels": 2 * axles, "cargo": cargo},
    )


def _dump_bed(a: Assembly, span: tuple[float, float], width: float, color: Color) -> None:
    start, end = span
    middle, length = (start + end) / 2, end - start
    a.box("cargo", (0, middle, 0.4), (width, length, 0.12), color)
    for sx in (-1, 1):
        a.box("cargo side", (sx * (width / 2), middle, 0.62), (0.09, length, 0.5), color)
    a.box("cargo front", (0, start + 0.04, 0.7), (width + 0.09, 0.09, 0.66), color)
    a.box("cargo back", (0, end - 0.04, 0.54), (width + 0.06, 0.09, 0.34), color)


def _propeller_and_gear(a: Assembly, half: float, blades: int) -> None:
    """Propeller on the nose and two wheels on struts under the wing."""
    a.rod("hub", (0, -half - 0.04, 0), (0, -half + 0.1, 0), 0.07, DARK)
    a.box("propeller", (0, -half, 0), (0.7, 0.07, 0.1), DARK)
    if blades == 4:
        a.box("propeller", (0, -half, 0), (0.1, 0.07, 0.7), DARK)
    for sx in (-1, 1):
        a.rod("wheel", (sx * 0.2 - 0.05, -0.4, -0.34), (sx * 0.2 + 0.05, -0.4, -0.34), 0.1, TIRE)
        a.rod("gear", (sx * 0.1, -0.4, -0.1), (sx * 0.2, -0.4, -0.34), 0.045, DARK)


def airplane(rng: Generator) -> Draft:
    """An airplane: propeller plane, jet airliner or biplane."""
    a = Assembly()
    style = choose(rng, "propeller", "jet", "biplane")
    color, trim = pick(rng), pick(rng, "red", "blue", "white", "yellow", "black")
    r = between(rng, 0.15, 0.19)
    half = 0.96
    a.capsule("fuselage", (0, -half + r + 0.02, 0), (0, 0.1, 0), r, color.color)
    a.rod("tail cone", (0, 0.08, 0), (0, half - 0.04, 0.06), r * 0.99, color.color, top=0.06)
    wide = choose(rng, "long", "short")
    span = 0.96 if wide == "long" else 0.7
    swept = 0.34 if style == "jet" else 0.0
    chord = 0.36

    def wing(z: float, y: float) -> None:
        outline = [
            (0, y - chord / 2),
            (span, y - chord / 2 + swept + 0.08),
            (span, y + chord / 2 + swept - 0.06),
            (0, y + chord / 2),
            (-span, y + chord / 2 + swept - 0.06),
            (-span, y - chord / 2 + swept + 0.08),
        ]
        a.slab("wing", (0, 0, z), outline, 0.085, trim.color)

    y = -0.1 if style == "jet" else -0.3
    wing(-0.05 if style != "biplane" else -0.12, y)
    if style == "biplane":
        wing(0.38, y)
        for sx in (-1, 1):
            a.rod("strut", (sx * span * 0.6, y, -0.12), (sx * span * 0.6, y, 0.38), 0.045, DARK)
            a.rod("strut", (sx * 0.1, y, 0), (sx * 0.12, y, 0.38), 0.045, DARK)
    a.box("tailplane", (0, half - 0.12, 0.06), (0.66, 0.22, 0.075), trim.color)
    fin = [(half - 0.34, 0.04), (half - 0.02, 0.04), (half, 0.42), (half - 0.16, 0.42)]
    a.slab("tail fin", (0, 0, 0), fin, 0.08, trim.color, plane="yz")
    engines = 2 if style == "jet" else 0
    if engines:
        for sx in (-1, 1):
            a.rod(
                "engine", (sx * 0.38, -0.26, -0.15), (sx * 0.38, 0.1, -0.15), 0.095, shade(color.color, 0.7)
            )
    else:
        _propeller_and_gear(a, half, 2 if chance(rng) else 4)
    a.ball("cockpit", (0, -0.45 if style != "jet" else -0.72, r * 0.8), (r * 0.6, 0.2, 0.12), GLASS)
    said = {"jet": "two jet engines", "propeller": "a nose propeller", "biplane": "two stacked wings"}[style]
    return Draft(
        parts=a.parts,
        nouns=(
            {"jet": "jet airplane", "propeller": "propeller airplane", "biplane": "biplane"}[style],
            "airplane",
        ),
        finish=color.word,
        details=(said, f"{wide} {trim.word} wings", "a tail fin"),
        attributes={"style": style, "engines": engines, "wings": 1 + (style == "biplane"), "span": wide},
    )


def _rigging(a: Assembly, rig: str, length: float, z: float, color: Color) -> None:
    """Mast, spars and sails: "one" or "two" triangular ones along the boat, or a "square" one across."""
    a.rod("mast", (0, 0, z - 0.1), (0, 0, 1.75), 0.055, (120, 85, 55))
    if rig == "square":
        a.slab(
            "sail",
            (0, -0.05, 0),
            [(-0.55, 0.55), (0.55, 0.55), (0.46, 1.55), (-0.46, 1.55)],
            0.08,
            color,
            plane="xz",
        )
        a.rod("yard", (-0.5, 0, 1.57), (0.5, 0, 1.57), 0.045, (120, 85, 55))
    else:
        a.slab("sail", (0, 0, 0), [(0.05, 0.5), (length * 0.95, 0.5), (0.05, 1.66)], 0.08, color, plane="yz")
        a.rod("boom", (0, 0, 0.48), (0, length * 0.95, 0.48), 0.045, (120, 85, 55))
        if rig == "two":
            a.slab(
                "sail",
                (0, 0, 0),
                [(-0.07, 0.5), (-0.07, 1.55), (-length * 0.9, 0.5)],
                0.08,
                color,
                plane="yz",
            )


def sailboat(rng: Generator) -> Draft:
    """A sailboat: hull, mast, one or two triangular sails or a square one."""
    a = Assembly()
    hull, sail = (
        pick(rng, "wooden", "white", "blue", "red", "black", "green"),
        pick(rng, "white", "white", "red", "yellow", "orange"),
    )
    rig = choose(rng, "one", "two", "square")
    wide, z = between(rng, 0.32, 0.4), 0.4
    length = between(rng, 0.7, 0.9)
    deck = [
        (-wide, length * 0.9, z),
        (wide, length * 0.9, z),
        (-wide, -length * 0.3, z),
        (wide, -length * 0.3, z),
        (0, -length, z + 0.08),
    ]
    keel = [
        (-wide * 0.5, length * 0.75, 0),
        (wide * 0.5, length * 0.75, 0),
        (wide * 0.5, -length * 0.3, 0),
        (-wide * 0.5, -length * 0.3, 0),
        (0, -length * 0.7, 0),
    ]
    a.hull("hull", [*deck, *keel], hull.color)
    _rigging(a, rig, length, z, sail.color)
    cabin = chance(rng, 0.4)
    if cabin:
        a.box("cabin", (0, length * 0.45, z + 0.08), (wide * 1.2, length * 0.4, 0.2), (225, 220, 210))
    sails = 2 if rig == "two" else 1
    return Draft(
        parts=a.parts,
        nouns=("sailboat", "sailing boat"),
        finish=hull.word,
        details=(
            f"a square {sail.word} sail"
            if rig == "square"
            else counted(sails, "sail", "triangular", sail.word),
            "a tall mast",
            *(["a small cabin"] if cabin else []),
        ),
        attributes={"sails": sails, "rig": rig, "cabins": int(cabin)},
    )


def rocket(rng: Generator) -> Draft:
    """A rocket standing on three or four fins, cartoonish or slender, with a round window."""
    a = Assembly()
    shape = choose(rng, "slender", "wide")
    r = 0.2 if shape == "slender" else 0.36
    fins = count(rng, 3, 4)
    color, trim = (
        pick(rng, "white", "white", "metal", "blue", "yellow"),
        pick(rng, "red", "orange", "black", "purple"),
    )
    outline = [(0, 0.22), (r * 0.75, 0.22), (r, 0.6), (r, 1.15), (r * 0.72, 1.5), (0, 1.5)]
    a.lathe("body", (0, 0, 0), outline, color.color)
    a.lathe("nose", (0, 0, 0), [(0, 1.48), (r * 0.75, 1.48), (r * 0.4, 1.76), (0, 1.92)], trim.color)
    a.column("nozzle", (0, 0, 0.08), r * 0.65, 0.18, DARK, top=r * 0.45)
    reach = r + between(rng, 0.24, 0.34)
    for i in range(fins):
        outline = [(r * 0.5, 0.75), (r * 0.5, 0.25), (reach, 0.0), (reach, 0.3)]
        a.slab(
            "fin",
            (0, 0, 0),
            outline,
            0.09,
            trim.color,
            plane="xz",
            rotation=turn("z", -90 + 360 * i / fins + (45 if fins == 4 else 0)),
        )
    windows = count(rng, 1, 2)
    for i in range(windows):
        a.ball("window", (0, -r * 0.97, 1.12 - 0.34 * i), (0.13, 0.07, 0.13), GLASS)
    boosters = count(rng, 0, 1) * 2
    for x, y in ring(2, r + 0.1) if boosters else []:
        a.capsule("booster", (x, y, 0.3), (x, y, 0.9), 0.12, shade(color.color, 0.85))
    return Draft(
        parts=a.parts,
        nouns=("rocket",),
        adjectives=(shape,),
        finish=color.word,
        details=(
            counted(fins, "fin", trim.word),
            f"a pointed {trim.word} nose",
            counted(windows, "round window" if windows == 1 else "round windows"),
            *(["two boosters"] if boosters else []),
        ),
        attributes={"fins": fins, "windows": windows, "boosters": boosters, "shape": shape},
    )
