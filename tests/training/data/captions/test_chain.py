"""The chain keeps one conversation, corrects what is malformed, and drops what does not fit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.training.data.captions.told import ANSWERS, Told
from training.data.assets.asset import Rejected
from training.data.captions.chain import ChainSettings, Described, describe
from training.data.captions.examples import Examples, own_examples
from training.data.captions.schemas import Captions, Scores, read_answer, schema_of

Pictures = dict[str, Any]


def described(model: Told, pictures: Pictures, **settings: Any) -> Described:
    rng = np.random.default_rng(0)
    metadata = {"name": "box", "tags": []}
    return describe(model, pictures, metadata, own_examples(), ChainSettings(**settings), rng)


def test_all_turns_are_one_conversation_with_the_pictures_kept(pictures: Pictures) -> None:
    model = Told()
    found = described(model, pictures)
    assert [kind for kind, _ in model.asked] == list(ANSWERS)
    last = model.asked[-1][1]
    assert [len(message.images) for message in last if message.images] == [6]
    assert [message.role for message in last] == ["system", *["user", "assistant"] * 5, "user"]
    assert '"name": "box"' in last[1].text
    assert "tags" not in last[1].text
    assert found.conversation[1]["pictures"] == list(pictures)
    assert (found.category, found.front) == ("container", "front")
    json.dumps(found.conversation)


def test_captions_that_do_not_fit_the_object_are_dropped(pictures: Pictures) -> None:
    found = described(Told(), pictures)
    assert found.captions["short"] == ["a red box"]
    assert found.scores == {"short": [9], "medium": [8], "long": [7]}
    assert found.dropped == 1
    with pytest.raises(Rejected, match="captions_disagree"):
        described(Told(), pictures, min_score=9.5)


def test_answers_of_the_wrong_form_or_length_are_asked_for_again(pictures: Pictures) -> None:
    wrong = {**ANSWERS["Captions"], "long": ["a box"]}
    fenced = f"Here it is:\n```json\n{json.dumps(ANSWERS['Caption'])}\n```"
    model = Told(first={"Captions": ["no JSON", json.dumps(wrong)], "Caption": [fenced]})
    found = described(model, pictures)
    said = [entry["text"] for entry in found.conversation if entry["role"] == "user"]
    assert sum("holds no JSON object" in text for text in said) == 1
    assert sum("long captions have 40 to 70 words, not 2" in text for text in said) == 1
    with pytest.raises(Rejected, match="told gave no usable Captions"):
        described(Told(Captions=wrong), pictures)


def test_categories_can_be_a_closed_list(pictures: Pictures) -> None:
    assert described(Told(), pictures, categories=("container",)).category == "container"
    with pytest.raises(Rejected, match="category must be one of plant"):
        described(Told(), pictures, categories=("plant",))


def test_examples_are_of_the_category_and_filled_from_others() -> None:
    examples = Examples((("plant", "a fern"), ("plant", "oak"), ("food", "an egg"), ("food", "soup")))
    rng = np.random.default_rng(0)
    assert set(examples.draw("plant", 2, rng)) == {"a fern", "oak"}
    assert len(set(examples.draw("plant", 4, rng))) == 4
    assert len(own_examples().draw("building_part", 4, rng)) == 4


def test_schemas_ask_for_the_reasoning_first_and_every_field() -> None:
    schema = schema_of(Captions)
    assert next(iter(schema["properties"])) == "reasoning"
    assert set(schema["required"]) == set(schema["properties"])
    assert "$ref" not in json.dumps(schema)
    with pytest.raises(ValueError, match="<= 10"):
        read_answer('{"reasoning": "r", "scores": [11]}', Scores)
    thought = '<think>{"no"}</think> {"reasoning": "r", "scores": [3]}'
    assert read_answer(thought, Scores).scores == [3]
