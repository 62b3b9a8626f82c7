"""What one evaluation found, and its three files: a sheet, figures as JSON, tables as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.evaluation import sheets
from training.evaluation.sheets import Section
from training.evaluation.tables import Table, markdown


@dataclass(frozen=True, kw_only=True)
class Report:
    """Tables with what they depend on, the counts behind them, and panels drawn by a seed."""

    name: str  # of its files, such as edits
    heading: str
    tables: Sequence[Table]
    sections: Sequence[Section] = ()
    columns: int = 4  # of panels on the sheet
    photographic: bool = False  # the sheet needs all its colours
    used: Mapping[str, Any] = field(default_factory=dict)  # counts, seeds and splits it was made with

    def json(self) -> dict[str, Any]:
        return {"used": dict(self.used), "tables": [table.json() for table in self.tables]}

    def markdown(self) -> str:
        return markdown(self.tables, self.heading)


def write(report: Report, folder: Path, model: str) -> list[Path]:
    """Writes `<name>.json`, `.md` and, where there are panels, `.png` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    words, tables = (folder / f"{report.name}{suffix}" for suffix in (".json", ".md"))
    words.write_text(json.dumps({"model": model, **report.json()}, indent=1) + "\n", encoding="utf-8")
    tables.write_text(report.markdown(), encoding="utf-8")
    written = [words, tables]
    shown = [section for section in report.sections if section.panels]
    if shown:
        written.append(folder / f"{report.name}.png")
        page = sheets.sheet(shown, columns=report.columns)
        if report.photographic:
            page.save(written[-1], optimize=True)
        else:
            sheets.save(page, written[-1])
    return written
