"""Requests run as rows of one batch, and each answer is the one it would have had alone."""

from __future__ import annotations

import numpy as np

from backend.events import Request
from tests.backend.small_model import small_pipeline
from training.evaluation.requests import in_order
from training.evaluation.tables import Table


def test_answers_come_in_order_and_as_if_alone() -> None:
    pipeline = small_pipeline()
    requests = [Request(prompt=f"shape {number}", seed=number, cells=16) for number in range(10)]
    together = in_order(pipeline, requests)
    for number in (0, 9):
        [alone] = in_order(pipeline, [requests[number]])
        assert alone.result is not None
        both = together[number].result
        assert both is not None
        assert both.tokens is not None
        np.testing.assert_array_equal(both.tokens, alone.result.tokens)


def test_request_that_cannot_be_served_fails_alone() -> None:
    good, bad = Request(prompt="a ball", cells=16), Request(prompt="", cells=16)
    failed, made = in_order(small_pipeline(), [bad, good])
    assert failed.result is None
    assert failed.failure == "The prompt is empty."
    assert made.result is not None


def test_tables_name_every_column_once_and_mark_what_is_missing() -> None:
    table = Table(title="t", rows={"a": {"x": 1.5}, "b": {"x": None, "n": 3}}, notes=["counts"])
    assert table.columns == ("x", "n")
    assert "| b | - | 3 |" in table.markdown()
    assert "- counts" in table.markdown()
