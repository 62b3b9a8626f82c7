"""Tables of figures as JSON rows and as Markdown, with what the figures depend on under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = float | int | str | None
Row = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one comparison: who, then figures; a figure that does not exist is None."""

    title: str
    rows: Mapping[str, Row]  # by who was measured
    notes: Sequence[str] = ()  # counts, thresholds, normalisation: what every figure depends on

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for row in self.rows.values() for name in row))

    def json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "notes": list(self.notes),
            "rows": {k: dict(v) for k, v in self.rows.items()},
        }

    def markdown(self) -> str:
        lines = [f"### {self.title}", "", f"| | {' | '.join(self.columns)} |"]
        lines.append("|---" * (len(self.columns) + 1) + "|")
        for who, row in self.rows.items():
            lines.append(f"| {who} | {' | '.join(_cell(row.get(name)) for name in self.columns)} |")
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes), ""])


def markdown(tables: Sequence[Table], heading: str) -> str:
    """One page."""
    return "\n".join([f"## {heading}", "", *(table.markdown() for table in tables)])


def _cell(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
    return str(value)
