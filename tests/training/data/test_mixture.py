"""The mixture's probabilities by Eq. 2."""

from __future__ import annotations

import pytest

from training.data.mixture import temperature_probabilities

SIZES = {"text_image": 63_700_000, "image_shape": 120_000_000, "text_shape": 9_000_000}
PRIORITIES = {"text_image": 1.0, "image_shape": 1.5, "text_shape": 3.0}
TABLE_5 = {"text_image": 0.30, "image_shape": 0.53, "text_shape": 0.17}


def test_the_best_temperature_still_misses_table_5() -> None:
    found = temperature_probabilities(SIZES, PRIORITIES, 0.703)
    assert [round(value, 3) for value in found.values()] == [0.244, 0.571, 0.185]


@pytest.mark.parametrize("temperature", [0.86, 0.87])
def test_equal_image_priority_rounds_to_table_5(temperature: float) -> None:
    found = temperature_probabilities(SIZES, PRIORITIES | {"image_shape": 1.0}, temperature)
    assert {name: round(value, 2) for name, value in found.items()} == TABLE_5


def test_temperature_one_is_by_size_and_small_ones_even_out() -> None:
    sizes, ones = {"a": 1, "b": 9}, {"a": 1.0, "b": 1.0}
    assert temperature_probabilities(sizes, ones, 1.0) == {"a": 0.1, "b": 0.9}
    assert temperature_probabilities(sizes, ones, 0.01)["a"] > 0.49


def test_a_bad_temperature_or_an_unnamed_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0, up to 1"):
        temperature_probabilities(SIZES, PRIORITIES, 0.0)
    with pytest.raises(ValueError, match="missing for text_shape"):
        temperature_probabilities(SIZES, {k: v for k, v in PRIORITIES.items() if k != "text_shape"}, 0.5)
