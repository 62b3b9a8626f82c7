"""Contact sheets: pictures side by side with wrapped captions under them, in sections with a heading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_PAPER, _INK, _FAINT = (255, 255, 255), (40, 40, 40), (110, 110, 110)
_GAP = 12  # pixels between panels
_MAX_LINES = 3
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One or more pictures (size, size, 3) uint8 of one thing, and what is written under them."""

    caption: str
    images: tuple[NDArray[np.uint8], ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Panels under a heading; no heading where it is empty."""

    heading: str = ""
    panels: Sequence[Panel]


def sheet(sections: Sequence[Section], *, columns: int, text_size: int = 14) -> Image.Image:
    """All panels in reading order, `columns` a row. Every picture of a sheet has the same size."""
    sizes = {image.shape for section in sections for panel in section.panels for image in panel.images}
    if len(sizes) != 1:
        raise ValueError(f"a sheet needs pictures of one size, not {sorted(sizes)}")
    side = sizes.pop()[0]
    across = max(len(panel.images) for section in sections for panel in section.panels)
    font: Font = ImageFont.load_default(text_size)
    width = columns * (across * side + _GAP) + _GAP
    strips = [
        strip for section in sections for strip in _section(section, columns, side, across, width, font)
    ]
    page = Image.new("RGB", (width, sum(strip.height for strip in strips) + _GAP), _PAPER)
    top = _GAP
    for strip in strips:
        page.paste(strip, (0, top))
        top += strip.height
    return page


def save(page: Image.Image, path: Path) -> None:
    """A small PNG: clay pictures have one hue, so 256 colours lose nothing to the eye."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _section(
    section: Section, columns: int, side: int, across: int, width: int, font: Font
) -> list[Image.Image]:
    strips = []
    if section.heading:
        heading = ImageFont.load_default(20)
        strip = Image.new("RGB", (width, 40), _PAPER)
        ImageDraw.Draw(strip).text((_GAP, 6), section.heading, _INK, heading)
        strips.append(strip)
    for start in range(0, len(section.panels), columns):
        strips.append(_row(section.panels[start : start + columns], side, across, width, font))
    return strips


def _row(panels: Sequence[Panel], side: int, across: int, width: int, font: Font) -> Image.Image:
    texts = [wrapped(panel.caption, across * side - 8, font) for panel in panels]
    line = int(font.getbbox("Ag")[3]) + 4
    strip = Image.new("RGB", (width, side + max(len(lines) for lines in texts) * line + _GAP + 6), _PAPER)
    draw = ImageDraw.Draw(strip)
    for column, (panel, lines) in enumerate(zip(panels, texts, strict=True)):
        left = _GAP + column * (across * side + _GAP)
        for index, image in enumerate(panel.images):
            strip.paste(Image.fromarray(image), (left + index * side, 0))
        titled = len(wrapped(panel.caption.partition("\n")[0], across * side - 8, font))
        for index, text in enumerate(lines):
            color = _INK if index < titled else _FAINT
            draw.text((left + 4, side + 4 + index * line), text, color, font)
    return strip


def wrapped(caption: str, width: float, font: Font) -> list[str]:
    """Lines no wider than `width` pixels, broken at spaces and line ends; at most three."""
    lines: list[str] = []
    for paragraph in caption.splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    if len(lines) > _MAX_LINES:
        lines = [*lines[: _MAX_LINES - 1], lines[_MAX_LINES - 1] + " ..."]
    return lines
