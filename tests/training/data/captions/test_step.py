"""The captions step: by rules, behind a server, and by a model on this machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.data.captions.told import ANSWERS, Server, painted, stored
from training.data.captions.interface import CaptionerError, Message
from training.data.captions.lengths import check
from training.data.captions.server import ServedModel
from training.data.captions.step import CaptionSettings, make, more_inputs
from training.data.steps import DataError
from training.data.synthetic import generate

LEVELS = ("short", "medium", "long")


def by_rules(data: Path, **changed: Any) -> dict[str, Any]:
    item = stored(painted(**changed), data)
    return make(item, CaptionSettings(), data, data / "story")


def test_rules_name_what_is_measured_in_three_lengths(tmp_path: Path) -> None:
    facts = by_rules(tmp_path)
    check({level: facts[level] for level in LEVELS})
    assert {"tall box", "a box", "a tall red box"} <= set(facts["short"])
    assert "two and a half times as tall as it is wide" in facts["medium"][0]
    assert "blue lies mostly in the upper part" in facts["long"][0]
    assert (facts["by"], facts["category"]) == ("rules 1", "container")
    assert by_rules(tmp_path) == facts


def test_a_color_of_the_name_that_cannot_be_seen_is_not_said(tmp_path: Path) -> None:
    assert "green" not in json.dumps(by_rules(tmp_path, name="green box"))
    assert "a red box" in by_rules(tmp_path, name="red box")["short"]
    assert "red" not in json.dumps(by_rules(tmp_path, colors=None))


def test_named_parts_are_counted_and_unknown_ones_left_out(tmp_path: Path) -> None:
    names = ("Handle_L", "Handle_R", "Lid", "Cube.003")
    asset = painted(part_names=names)
    asset = replace(asset, parts=np.arange(len(asset.faces), dtype=np.int32) % 4)
    facts = make(stored(asset, tmp_path), CaptionSettings(), tmp_path, tmp_path / "story")
    assert "with two handles and a lid" in facts["medium"][0]
    assert "cube" not in json.dumps(facts).lower()


def test_a_procedural_object_keeps_its_own_captions(tmp_path: Path) -> None:
    solid = generate(3)
    mesh = solid.to_mesh()
    asset = painted(name=solid.family, provenance={"family": solid.family, "seed": "3"})
    empty = np.zeros(len(mesh.faces), np.int32)
    colors = None if mesh.colors is None else np.asarray(mesh.colors)
    asset = replace(
        asset, vertices=mesh.vertices, faces=mesh.faces, colors=colors, parts=empty, face_material=empty
    )
    facts = make(stored(asset, tmp_path), CaptionSettings(), tmp_path, tmp_path / "story")
    assert set(facts["short"]) <= set(solid.captions)
    check({level: facts[level] for level in LEVELS})


def settings(server: Server, **changed: Any) -> CaptionSettings:
    return CaptionSettings(captioner="server", model="told", url=server.url, **changed)


def test_a_server_is_asked_by_the_chat_protocol_and_again_while_busy(server: Server) -> None:
    server.busy = 1
    model = ServedModel(name="told", url=server.url, key="secret", pause=0.01)
    picture = np.zeros((4, 4, 3), np.uint8)
    schema = {"title": "Analysis", "type": "object"}
    answer = model.answer([Message(role="user", text="what?", images=(picture,))], schema)
    assert json.loads(answer) == ANSWERS["Analysis"]
    assert len(server.bodies) == 2
    assert server.keys[-1] == "Bearer secret"
    image, text = server.bodies[-1]["messages"][0]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    assert text == {"type": "text", "text": "what?"}
    with pytest.raises(CaptionerError, match="did not answer"):
        ServedModel(name="told", url="http://127.0.0.1:9/v1", tries=1).answer([], schema)


def test_the_step_keeps_scores_and_conversation(server: Server, tmp_path: Path) -> None:
    item = stored(painted(), tmp_path)
    facts = make(item, settings(server), tmp_path, tmp_path / "story")
    assert (facts["by"], facts["short"], facts["score"], facts["dropped"]) == ("told", ["a red box"], 8.0, 1)
    story = json.loads((tmp_path / "story").read_text())
    assert story["conversation"][0]["role"] == "system"
    assert "SM_Box_tall_01" in story["conversation"][1]["text"]


def test_settings_name_a_model_and_a_url_where_they_belong() -> None:
    with pytest.raises(ValueError, match="needs the name of a model"):
        CaptionSettings(captioner="local")
    with pytest.raises(ValueError, match="url belongs"):
        CaptionSettings(captioner="server", model="m")


def test_people_s_examples_come_from_a_file(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text('{"category": "container", "caption": "one crate of wood"}\n', encoding="utf-8")
    item = stored(painted(), tmp_path)
    make(item, settings(server, examples=str(path)), tmp_path, tmp_path / "story")
    assert "one crate of wood" in (tmp_path / "story").read_text()
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1"):
        make(item, settings(server, examples=str(broken)), tmp_path, tmp_path / "story")


def test_other_examples_make_other_captions(tmp_path: Path) -> None:
    examples = tmp_path / "examples.jsonl"
    settings = CaptionSettings(captioner="local", model="m", examples=str(examples))
    with pytest.raises(DataError, match="cannot be read"):
        more_inputs(settings)
    examples.write_text("one\n")
    first = more_inputs(settings)
    examples.write_text("two\n")
    assert more_inputs(settings) != first
    assert more_inputs(CaptionSettings()) == {}
