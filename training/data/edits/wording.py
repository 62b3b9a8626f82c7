"""Ways of asking for an edit of pieces or of the whole, as people put them: full sentences, orders, notes."""

from __future__ import annotations

from training.data.assets.asset import Asset
from training.data.captions.english import is_plural, plural, with_article
from training.data.captions.names import read_name

from .naming import Called


def noun_of(asset: Asset) -> str:
    """What an instruction may call the asset; "" where its name says nothing that reads well."""
    name = read_name(asset.name, asset.category)
    fits = name.named and not is_plural(name.noun) and len(name.noun.split()) <= 3
    return name.noun if fits else ""


def removing(what: Called, of: str) -> list[str]:
    off = f" from the {of}" if of else ""
    said = [
        f"remove {what.the}",
        f"delete {what.the}",
        f"take away {what.the}",
        f"get rid of {what.the}",
        f"please remove {what.the}{off if not what.place else ''}",
        f"I don't want {what.the}",
        f"{'this ' + of if of else 'the same'} without {what.the}",
        f"lose {what.the}",
    ]
    return said + ([f"no {what.things}", f"take {what.the} off"] if what.sure and not what.place else [])


def adding(what: Called, place: str, of: str) -> list[str]:
    there = f" {place}" if place else ""
    to = f" to the {of}" if of and not place else there
    return [
        f"add {what.a}{there}",
        f"add {what.a}{to}",
        f"put {what.a}{there or ' on it'}",
        f"give it {what.a}{there}",
        f"it should have {what.a}{there}",
        f"+ {what.a}{there}",
        f"I want {what.a}{there}",
        f"attach {what.a}{there}",
    ]


def second(what: Called, side: str) -> list[str]:
    return [
        f"add another {what.noun} on the {side}",
        f"put a second {what.noun} on the {side} side",
        f"mirror the {what.noun} to the {side} side",
        f"add a matching {what.noun} on the other side",
    ]


def replacing(what: Called, shape: str) -> list[str]:
    new = plural(shape) if what.plural else with_article(shape)
    return [
        f"replace {what.the} with {new}",
        f"swap {what.the} for {new}",
        f"turn {what.the} into {new}",
        f"make {what.the} {'into ' if what.plural else ''}{new}",
        f"{new} instead of {what.the}",
    ]


def exchanging(old: Called, new: Called) -> list[str]:
    return [
        f"replace {old.the} with {new.a}",
        f"swap the {old.noun} for {new.a}",
        f"{new.a} instead of {old.the}",
        f"change {old.the} into {new.a}",
        f"take {old.the} off and put {new.a} there",
    ]


def resizing(what: Called, word: str) -> list[str]:
    said = [
        f"make {what.the} {word}",
        f"{what.the} should be {word}",
        f"I want {what.the} {word}",
        f"can you make {what.the} {word}?",
        f"{what.the}, but {word}",
    ]
    times = {"bigger": ["enlarge", "scale up"], "smaller": ["shrink", "scale down"], "longer": ["lengthen"]}
    return said + [f"{verb} {what.the}" for verb in times.get(word, [])]


def stretching(word: str, of: str) -> list[str]:
    it = f"the {of}" if of else "it"
    return [
        f"make {it} {word}",
        f"make the whole thing {word}",
        f"{it} should be {word}",
        f"a {word} {of or 'one'}",
        f"{word}, please",
        f"I'd like {it} {word}",
    ]


def painting(what: Called | None, color: str, of: str) -> list[str]:
    if what is None:
        it = f"the {of}" if of else "it"
        return [
            f"paint {it} {color}",
            f"make {it} {color}",
            f"make the whole thing {color}",
            f"a {color} {of or 'one'}",
            f"recolor {it} in {color}",
            f"all {color}",
        ]
    return [
        f"paint {what.the} {color}",
        f"make {what.the} {color}",
        f"change the color of {what.the} to {color}",
        f"{what.the} should be {color}",
        f"color {what.the} {color}",
        f"I want {what.the} in {color}",
    ]


def material(what: Called | None, stuff: str, of: str) -> list[str]:
    it = what.the if what is not None else f"the {of}" if of else "it"
    return [
        f"make {it} out of {stuff}",
        f"change the material of {it} to {stuff}",
        f"turn {it} into {stuff}",
        f"{it} should be made of {stuff}",
    ]


def tilting(what: Called, way: str) -> list[str]:
    """`way`: up, down, left, right, forward, back."""
    the = what.the
    if way in ("up", "down"):
        verbs = ("raise", "lift") if way == "up" else ("lower", "drop")
        return [f"{verbs[0]} {the}", f"{verbs[1]} {the}", f"point {the} {way}", f"move {the} {way}ward"]
    towards = f"to the {way}" if way in ("left", "right") else way
    return [
        f"tilt {the} {towards}",
        f"lean {the} {towards}",
        f"bend {the} {towards}",
        f"turn {the} {towards}",
    ]


def moving(what: Called, side: str) -> list[str]:
    bare = f"the {what.things}"
    return [
        f"move {bare} to the {side}",
        f"move {bare} to the other side",
        f"put {bare} on the {side} side",
        f"the {what.things} should be on the {side}",
    ]


def turning(way: str, of: str) -> list[str]:
    it = f"the {of}" if of else "it"
    return {
        "left": [f"turn {it} to the left", f"make {it} face left", f"rotate {it} to face left"],
        "right": [f"turn {it} to the right", f"make {it} face right", f"rotate {it} to face right"],
        "around": [f"turn {it} around", f"show {it} from behind", f"rotate {it} by 180 degrees"],
        "side": [f"lay {it} on its side", f"tip {it} over to the side", f"knock {it} over"],
        "back": [f"lay {it} on its back", f"tip {it} over backwards"],
        "end": [f"stand {it} on end", f"stand {it} upright", f"turn {it} up on its end"],
    }[way]
