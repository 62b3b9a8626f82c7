import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.training.data.here import Here
from training.data.steps import DataError, Result, run
from training.data.synthesis import prompt_lists
from training.data.synthesis.prompt_lists import PROMPTS, curated, prompt_items
from training.data.synthesis.prompts import CurationSettings


def curated_list(
    path: Path, data: Path, settings: CurationSettings | None = None
) -> tuple[list[Result], list[str]]:
    limits = settings or CurationSettings()
    results = run(PROMPTS, limits, prompt_items(path), data, Here())
    return results, [prompt.prompt for prompt in curated(results, data, limits)]


def test_a_text_list_is_read_in_chunks_and_each_prompt_is_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_lists, "CHUNK", 30)
    path = tmp_path / "list.txt"
    lines = ["a red chair, 8k", "two dogs", "photo of a red chair", "a blue vase", "", "a clay pot"]
    path.write_text("\n".join(lines), encoding="utf-8")
    results, prompts = curated_list(path, tmp_path / "data")
    assert prompts == ["a red chair", "a blue vase", "a clay pot"]
    assert len(results) > 1
    assert sum(result.facts["read"] for result in results) == 5
    assert {reason for result in results for reason in result.facts["reasons"]} == {"several_objects"}


def test_a_longer_list_costs_only_its_new_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_lists, "CHUNK", 10)
    path = tmp_path / "list.txt"
    path.write_text("a red chair\na blue vase\n", encoding="utf-8")
    curated_list(path, tmp_path / "data")
    path.write_text("a red chair\na blue vase\na clay pot\n", encoding="utf-8")
    results, prompts = curated_list(path, tmp_path / "data")
    assert [result.cached for result in results] == [True, True, False]
    assert len(prompts) == 3


def test_tables_as_diffusiondb_has_them_lose_what_is_scored_unsafe(tmp_path: Path) -> None:
    path = tmp_path / "metadata.parquet"
    columns = {
        "prompt": ["a red chair", "a vase", "a pot"],
        "prompt_nsfw": [0.01, 0.9, 0.0],
        "seed": [1, 2, 3],
    }
    table = pa.table(columns)
    parquet.write_table(table, path, row_group_size=2)
    results, prompts = curated_list(path, tmp_path / "data")
    assert prompts == ["a red chair", "a pot"]
    assert [result.facts["reasons"] for result in results] == [{"unsafe": 1}, {}]


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    rows = [json.dumps({"prompt": "a red chair"}), "{half", json.dumps({"text": "a vase"}), json.dumps([1])]
    path.write_text("\n".join(rows), encoding="utf-8")
    results, prompts = curated_list(path, tmp_path / "data")
    assert prompts == ["a red chair"]
    assert results[0].facts["reasons"] == {"no_object": 3}


def test_no_subject_comes_more_often_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(
        "\n".join(f"a lamp, {color} glass" for color in ("red", "blue", "green")), encoding="utf-8"
    )
    _, prompts = curated_list(path, tmp_path / "data", CurationSettings(per_subject=2))
    assert prompts == ["a lamp, red glass", "a lamp, blue glass"]


def test_what_is_no_list_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("prompt\na chair\n", encoding="utf-8")
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    parquet.write_table(pa.table({"words": ["a"]}), tmp_path / "other.parquet")
    wrong = {
        "list.csv": "no list of prompts",
        "bad.parquet": "no Parquet",
        "other.parquet": "no column 'prompt'",
    }
    for name, sentence in wrong.items():
        with pytest.raises(DataError, match=sentence):
            prompt_items(tmp_path / name)
