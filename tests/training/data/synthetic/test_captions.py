"""What captions say: true counts, lengths, grammar, and the words kept out of them."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from training.data.synthetic import FAMILIES, HELD_OUT_ADJECTIVES, HELD_OUT_SYNONYMS, generate
from training.data.synthetic.captions import NUMBERS

# attribute -> name of the parts it counts
COUNTED = {
    "antennas": "antenna",
    "arms": "arm",
    "bands": "band",
    "blades": "blade",
    "boosters": "booster",
    "coconuts": "coconut",
    "doors": "door",
    "drawers": "drawer",
    "eyes": "eye",
    "fins": "fin",
    "handles": "handle",
    "hoops": "hoop",
    "layers": "layer",
    "legs": "leg",
    "petals": "petal",
    "pickets": "picket",
    "pillows": "pillow",
    "rails": "rail",
    "rungs": "rung",
    "sails": "sail",
    "shelves": "shelf",
    "spokes": "spoke",
    "stems": "stem",
    "stones": "stone",
    "stripes": "stripe",
    "teeth": "tooth",
    "wheels": "wheel",
    "windows": "window",
}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_counted_attributes_equal_the_parts(family: str) -> None:
    for seed in range(20):
        example = generate(seed, family)
        parts = Counter(part.name for part in example.parts)
        for attribute, name in COUNTED.items():
            if attribute in example.attributes and not (family == "airplane" and attribute == "wheels"):
                assert parts[name] == example.attributes[attribute], (attribute, seed)


@pytest.mark.parametrize(
    ("family", "attribute", "word"),
    [
        ("bookshelf", "shelves", "shelves"),
        ("chair", "legs", "legs"),
        ("wheel", "spokes", "spokes"),
        ("ladder", "rungs", "rungs|steps"),
        ("windmill", "sails", "sails"),
        ("fence", "pickets", "pickets"),
    ],
)
def test_numbers_in_captions_are_the_attributes(family: str, attribute: str, word: str) -> None:
    said = 0
    for seed in range(30):
        example = generate(seed, family)
        for caption in example.captions:
            found = re.search(rf"\b({'|'.join(NUMBERS)})(?: (?!and|with)\w+){{0,2}} (?:{word})\b", caption)
            if found and attribute in example.attributes:
                said += 1
                assert NUMBERS.index(found.group(1)) == example.attributes[attribute], caption
    assert said > 30


def test_captions_are_distinct_grammatical_and_of_every_length() -> None:
    for seed in range(300):
        captions = generate(seed).captions
        lengths = [len(caption.split()) for caption in captions]
        assert len(set(captions)) == len(captions) >= 6
        assert lengths == sorted(lengths)
        assert lengths[0] <= 3
        assert 10 <= lengths[-1] <= 25
        assert not any(re.search(r"\ba [aeio](?!ne)|  |  with *$", caption) for caption in captions), captions


def test_held_out_words_never_occur() -> None:
    words = [w for table in (HELD_OUT_SYNONYMS, HELD_OUT_ADJECTIVES) for held in table.values() for w in held]
    pattern = re.compile(rf"\b({'|'.join(words)})s?\b")
    for seed in range(500):
        for caption in generate(seed).captions:
            assert not pattern.search(caption), caption


def test_held_out_synonyms_belong_to_families() -> None:
    assert set(HELD_OUT_SYNONYMS) <= set(FAMILIES)
    assert len(HELD_OUT_SYNONYMS) >= 20
