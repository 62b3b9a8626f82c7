"""The fixed prompts, and what counts as a word that training has not seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.synthetic import FAMILIES, HELD_OUT_SYNONYMS, generate
from training.evaluation.prompts import (
    NOVEL_CANDIDATES,
    PROMPTS,
    NovelPrompt,
    dataset_captions,
    novel_prompts,
    vocabulary,
)


def test_prompts_are_two_dozen_kinds_of_object() -> None:
    assert len(set(PROMPTS)) == 24


def test_prompts_use_words_the_generator_knows() -> None:
    captions = [c for seed in range(1500) for c in generate(seed).captions]
    assert vocabulary(PROMPTS) - vocabulary(captions) == set()


def test_no_candidate_is_in_a_procedural_caption() -> None:
    captions = [c for index, name in enumerate(FAMILIES) for c in generate(index, name).captions]
    chosen, refused = novel_prompts(vocabulary(captions))
    assert not refused
    assert chosen == tuple(candidate.text for candidate in NOVEL_CANDIDATES[:12])


def test_candidates_name_shapes_that_families_cover() -> None:
    held_out = {word for synonyms in HELD_OUT_SYNONYMS.values() for word in synonyms}
    others = {"cupboard"}  # a wardrobe
    assert {word for candidate in NOVEL_CANDIDATES for word in candidate.words} <= held_out | others


def candidates(*words: str) -> tuple[NovelPrompt, ...]:
    return tuple(NovelPrompt(text=f"a {word}", words=(word,)) for word in words)


def test_seen_words_are_refused_in_the_plural_and_in_compounds() -> None:
    seen = vocabulary(["Two Sofas", "red fire-truck", "firs", "a teacup"])
    chosen, refused = novel_prompts(
        seen, wanted=1, candidates=candidates("sofa", "fir", "cup", "truck", "yacht")
    )
    assert chosen == ("a cup",)  # short words must match whole
    assert refused == {"a sofa": ("sofas",), "a fir": ("firs",)}


def test_too_few_unseen_candidates_are_an_error() -> None:
    with pytest.raises(ValueError, match="only 0 of 1"):
        novel_prompts(vocabulary(["a sofa"]), wanted=1, candidates=candidates("sofa"))


def test_captions_are_read_from_data_folders(packed: Path) -> None:
    found = list(dataset_captions([packed]))
    assert len(found) >= 18
    assert all(isinstance(caption, str) for caption in found)
