"""One file sets all steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from training.data.settings_file import read_settings, settings_text
from training.data.steps import DataError


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int = 3
    range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be positive, not {self.size}")


@dataclass(frozen=True, kw_only=True)
class Outer:
    views: Inner = field(default_factory=Inner)
    name: str | None = None


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_left_out_keeps_its_default(tmp_path: Path) -> None:
    settings = read_settings(written(tmp_path, '{"views": {"size": 9}}'), Outer)
    assert settings == Outer(views=Inner(size=9))


def test_printed_settings_read_back_equal(tmp_path: Path) -> None:
    settings = Outer(views=Inner(size=5, range=(0.25, 2.0)), name="x")
    assert read_settings(written(tmp_path, settings_text(settings)), Outer) == settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"views": {"sise": 9}}', "views.sise is no setting; there are size, range"),
        ('{"views": {"size": "9"}}', "Expected `int`"),
        ('{"views": {"size": 0}}', "size must be positive"),
        ('{"views": ', "cannot be used"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_settings(written(tmp_path, text), Outer)


def test_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data settings"):
        read_settings(tmp_path / "none.json", Outer)
