"""Layout of contact sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from training.evaluation.sheets import Panel, Section, save, sheet, wrapped


def panel(caption: str, shade: int, size: int = 40, count: int = 1) -> Panel:
    return Panel(caption=caption, images=(np.full((size, size, 3), shade, np.uint8),) * count)


def test_pictures_stand_in_reading_order() -> None:
    page = np.asarray(
        sheet([Section(panels=[panel("one", 10), panel("two", 90), panel("three", 170)])], columns=2)
    )
    places = {shade: np.argwhere((page == shade).all(axis=2)).min(axis=0) for shade in (10, 90, 170)}
    assert places[10][0] == places[90][0] < places[170][0]
    assert places[10][1] == places[170][1] < places[90][1]


def test_pictures_of_one_panel_stand_side_by_side() -> None:
    page = np.asarray(sheet([Section(heading="pairs", panels=[panel("a", 10, count=2)])], columns=1))
    assert (page == 10).all(axis=2).sum() == 2 * 40 * 40


def test_pictures_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        sheet([Section(panels=[panel("a", 0), panel("b", 0, size=20)])], columns=2)


def test_captions_wrap_to_the_width_and_are_cut_when_too_long() -> None:
    font = ImageFont.load_default(14)
    lines = wrapped("a tall narrow bookshelf with five shelves", 120, font)
    assert " ".join(lines) == "a tall narrow bookshelf with five shelves"
    assert all(font.getlength(line) <= 120 for line in lines)
    assert wrapped("one\ntwo", 120, font) == ["one", "two"]
    assert len(wrapped("word " * 60, 120, font)) == 3


def test_saved_sheet_is_a_png(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sheet.png"
    save(sheet([Section(panels=[panel("a", 10)])], columns=1), path)
    with Image.open(path) as image:
        assert image.format == "PNG"
