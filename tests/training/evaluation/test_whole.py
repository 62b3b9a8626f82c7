"""One page for a model folder: what it cannot do is named with the reason, the rest has tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.pipeline import Pipeline
from tests.backend.small_model import small_pipeline
from training.data.steps import DataError
from training.evaluation import whole
from training.evaluation.report import Report
from training.evaluation.tables import Table
from training.evaluation.whole import Counts, Whole, evaluate_all, parts


def report() -> Report:
    table = Table(title="A title", rows={"model": {"CD": 0.5}, "truth": {"CD": None}}, notes=["points: 8"])
    return Report(name="edits", heading="Edits", tables=[table], used={"seed": 0})


@pytest.fixture
def asked(tmp_path: Path) -> Whole:
    folder = Path("backend/weights/mini")
    return Whole(weights=folder, data=tmp_path / "data", out=tmp_path / "out")


def test_page_holds_every_part_and_why_one_was_left_out(
    asked: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> Report:
        raise ValueError("the model does not offer views")

    monkeypatch.setattr(whole, "parts", lambda _: iter([("edits", report), ("views", fails)]))
    told: list[str] = []
    words, page = evaluate_all(asked, told.append)
    figures = json.loads(words.read_text())
    assert figures["reports"]["edits"]["tables"][0]["rows"]["model"] == {"CD": 0.5}
    assert figures["left_out"] == {"views": "the model does not offer views"}
    assert "| truth | - |" in page.read_text()
    assert "points: 8" in page.read_text()
    assert (asked.out / "edits.md").is_file()
    assert len(told) == 2


def test_parts_without_data_or_task_end_in_a_sentence(asked: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    small = small_pipeline(tasks=("text_to_shape",), images=False)
    monkeypatch.setattr(Pipeline, "load", lambda folder: small)
    reasons = {}
    for name, part in parts(asked):
        if name != "text to shape":
            with pytest.raises((DataError, ValueError)) as caught:
                part()
            reasons[name] = str(caught.value)
    assert reasons["edits"] == "the model does not offer edit_shape"
    assert reasons["image tokenizer"] == "the model has no image tokenizer"
    assert "records.jsonl" in reasons["shape tokenizer"]


def test_counts_must_be_positive() -> None:
    with pytest.raises(ValueError, match="edits must be at least 1"):
        Counts(edits=0)
