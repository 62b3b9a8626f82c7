"""The report's sections: what each step took and gave, why not the rest, and samples of everything made.

write_report(Path("report.html"), Path("data"), results)  # results of every step, by its name
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from training.data.assets.asset import SUFFIX
from training.data.records import Record, Results, make_records
from training.data.report import markup
from training.data.report.pictures import Pictures
from training.data.steps import Result

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """How much is shown."""

    title: str = "Assets"
    kept: int = 96  # pictures of what was kept
    per_reason: int = 24  # and of each reason and note
    views: int = 6  # assets whose views are shown
    captions: int = 36
    pairs: int = 36
    pixels: int = 128
    quality: int = 72  # of WebP
    seed: int = 0  # of the choice


def write_report(path: Path, data: Path, results: Results, settings: ReportSettings | None = None) -> None:
    """Written whole or not at all. Without OpenGL it has no pictures and says so."""
    page = _Page(data, results, settings or ReportSettings())
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(page.html(), encoding="utf-8")
    unfinished.replace(path)


class _Page:
    def __init__(self, data: Path, results: Results, settings: ReportSettings) -> None:
        self.results, self.settings = results, settings
        self.records = make_records(results)
        self.kept = [record for record in self.records if record.kept]
        self.by_key = {record.key: record for record in self.records if record.key is not None}
        self.pictures = Pictures(data, settings.pixels, settings.quality)

    def html(self) -> str:
        title = self.settings.title
        parts = [
            f"<h1>{markup.text(title)}</h1><p>{self._headline()}</p>",
            self._steps(),
            "<h2>Why not</h2>",
            self._reasons(),
            "<h2>Kept</h2>",
            self._grid(self.kept, self.settings.kept),
            self._notes(),
            self._views(),
            self._captions(),
            self._pairs(),
            markup.counted("Licences of what was kept", Counter(r.licence for r in self.kept)),
            markup.counted("Categories of what was kept", Counter(r.category or "none" for r in self.kept)),
        ]
        return markup.document(title, "".join(parts))

    def _headline(self) -> str:
        found = sum(record.key is not None for record in self.records)
        cost = sum(result.cpu_seconds for results in self.results.values() for result in results)
        each = cost / max(found, 1)
        sources = len(self.results.get("ingest", ()))
        return (
            f"{sources:,} sources, {found:,} assets found, {len(self.kept):,} kept; "
            f"{cost:,.0f} CPU seconds in all, {each:.2f} for each asset."
        )

    def _steps(self) -> str:
        """In, out and cost of each step."""
        rows = []
        most = max((len(results) for results in self.results.values()), default=1)
        for step, results in self.results.items():
            lost = sum(result.rejected is not None for result in results)
            each = [f"{np.mean(values):.3f}" if values else "-" for values in _costs(results)]
            size = sum(result.bytes for result in results) / 1e6
            new = sum(not result.cached for result in results)
            numbers = [f"{len(results):,}", f"{lost:,}", f"{len(results) - lost:,}", f"{new:,}", *each]
            share = markup.bar((len(results) - lost) / max(most, 1))
            rows.append([markup.code(step), *numbers, f"{size:,.1f}" if size else "-", share])
        head = ["Step", "In", "Lost", "Out", "New", "Seconds each", "CPU seconds each", "MB", ""]
        return markup.table(head, rows, range(1, 8))

    def _reasons(self) -> str:
        """A section per step and reason, of every step."""
        lost: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in self.records:
            if record.step == "ingest":
                lost["ingest", record.reason or ""].append(record)
        for step, results in self.results.items():
            for result in results:
                if step != "ingest" and result.rejected is not None:
                    lost[step, result.rejected.reason].append(self._lost(result))
        if not lost:
            return "<p>Nothing was left out.</p>"
        order = {step: number for number, step in enumerate(self.results)}
        ranked = sorted(lost.items(), key=lambda item: (order[item[0][0]], -len(item[1])))
        return "".join(self._reason(step, reason, records) for (step, reason), records in ranked)

    def _lost(self, result: Result) -> Record:
        """The asset that a step rejected, or whose edit it rejected, with that step's sentence."""
        detail = "" if result.rejected is None else result.rejected.detail
        known = self.by_key.get(result.key.partition("/")[0])
        if known is None:
            return Record(source=result.key, detail=detail)
        return Record(source=known.source, key=known.key, asset=known.asset, name=known.name, detail=detail)

    def _reason(self, step: str, reason: str, records: Sequence[Record]) -> str:
        limit, of = self.settings.per_reason, max(len(self.results[step]), len(records))
        shown = f"{len(records):,}{markup.sampled(len(records), limit)}"
        return (
            f"<details open><summary><b>{markup.code(reason)}</b> "
            f'<span class="faint">{markup.code(step)}, {shown}</span>'
            f"{markup.bar(len(records) / of, bad=True)}</summary>{self._grid(records, limit)}</details>"
        )

    def _notes(self) -> str:
        """What was handled rather than refused."""
        counts = Counter(note for record in self.kept for note in record.notes)
        limit, sections = self.settings.per_reason, []
        for note, count in counts.most_common():
            own = [record for record in self.kept if note in record.notes]
            sections.append(
                f"<details><summary>{markup.code(note)} <span class='faint'>{count:,}"
                f"{markup.sampled(count, limit)}</span></summary>{self._grid(own, limit)}</details>"
            )
        return f"<h2>Kept, with a note</h2>{''.join(sections)}" if sections else ""

    def _views(self) -> str:
        made = [record for record in self.kept if _product(record, "views") is not None]
        if not made:
            return ""
        strips = [
            f"{markup.text(record.name)}{self.pictures.views(_product(record, 'views') or '')}"
            for record in self._some(made, self.settings.views)
        ]
        return f"<h2>Views</h2>{''.join(strips)}"

    def _captions(self) -> str:
        made = [record for record in self.kept if record.facts("captions").get("short")]
        if not made:
            return ""
        by = Counter(str(record.facts("captions").get("by")) for record in made)
        who = ", ".join(f"{count:,} by {markup.text(name)}" for name, count in by.most_common())
        rows = [
            [
                self.pictures.asset(record.asset),
                f"<b>{markup.text('; '.join(facts['short'][:4]))}</b>"
                f"<p>{markup.text('; '.join(facts['medium'][:2]))}</p>"
                f"{markup.text(' '.join(facts['long'][:1]))}",
                markup.text(_score(facts)),
            ]
            for record in self._some(made, self.settings.captions)
            if (facts := record.facts("captions"))
        ]
        table = markup.table(["", "Short, medium, long", "Score"], rows, [2])
        return f"<h2>Captions</h2><p>{who}</p>{table}"

    def _pairs(self) -> str:
        """Edits, with both of their sides."""
        made = [
            (record, number, pair)
            for record in self.kept
            for number, pair in enumerate(record.facts("edits").get("pairs", ()))
        ]
        if not made:
            return ""
        kinds = Counter(str(pair["kind"]) for _, _, pair in made)
        figures = [self._pair(*some) for some in self._some(made, self.settings.pairs)]
        return f"{markup.counted('Edit pairs', kinds)}{markup.grid(figures, 'pairs')}"

    def _pair(self, record: Record, number: int, pair: dict[str, Any]) -> str:
        folder = _product(record, "edits")
        sides = [self.pictures.asset(f"{folder}/{number}-{side}{SUFFIX}") for side in ("source", "target")]
        label = "; ".join(pair["instructions"][:2])
        return markup.figure(" ".join(sides), label, f"{pair['kind']}, {record.name}", record.source)

    def _grid(self, records: Sequence[Record], limit: int) -> str:
        return markup.grid(
            markup.figure(
                self.pictures.asset(record.asset),
                record.name or Path(record.source).name,
                record.detail,
                record.source,
            )
            for record in self._some(records, limit)
        )

    def _some(self, things: Sequence[T], limit: int) -> Sequence[T]:
        """A fair sample, in its order."""
        if len(things) <= limit:
            return things
        chosen = np.random.default_rng(self.settings.seed).choice(len(things), limit, replace=False)
        return [things[index] for index in np.sort(chosen)]


def _costs(results: Sequence[Result]) -> tuple[list[float], list[float]]:
    return [r.seconds for r in results], [r.cpu_seconds for r in results if r.cpu_seconds]


def _product(record: Record, step: str) -> str | None:
    return record.results[step].product if step in record.results else None


def _score(facts: Any) -> str:
    score = facts.get("score")
    return "-" if score is None else f"{score:.2f}"
