"""The report of a run: one HTML file that needs nothing else, with counts, reasons, licences and pictures.

write_report(Path("report.html"), records, STEPS, lambda key: asset_path(out, key))
"""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.assets.asset import Asset, read_asset
from training.data.records import Record
from training.data.rendering.cameras import Camera
from training.data.rendering.raster import NoGraphicsError
from training.evaluation.render import render_views

_STYLE = """
:root{color-scheme:light dark;--ink:#222;--faint:#777;--line:#ddd;--bar:#5b7db1;--bad:#b8604f;--paper:#fbfaf8}
@media(prefers-color-scheme:dark){:root{--ink:#ddd;--faint:#999;--line:#3a3a3a;--paper:#1c1c1b}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1180px;
margin:2em auto;padding:0 1.2em}
h1{font-size:1.6em;margin-bottom:.1em}h2{font-size:1.15em;margin:2em 0 .5em}
p,.faint{color:var(--faint)}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.28em .7em;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{height:.75em;background:var(--bar);border-radius:2px;min-width:1px}.bar.bad{background:var(--bad)}
td.w{width:32%;vertical-align:middle}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:12px;margin:.8em 0}
figure{margin:0}figure img,.none{width:128px;height:128px;border-radius:6px;background:#fff;display:block}
.none{display:flex;align-items:center;justify-content:center;color:#999;font-size:12px;border:1px dashed #bbb}
figcaption{font-size:12px;line-height:1.3;margin-top:3px;overflow-wrap:anywhere}
details{border-bottom:1px solid var(--line);padding:.4em 0}summary{cursor:pointer}
"""


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """How much is shown."""

    title: str = "Assets"
    kept: int = 96  # pictures of what was kept
    per_reason: int = 24  # and of each reason and note
    pixels: int = 128
    quality: int = 72  # of WebP
    seed: int = 0  # of the choice


def write_report(
    path: Path,
    records: Sequence[Record],
    steps: Sequence[str],
    asset_path: Callable[[str], Path],
    settings: ReportSettings | None = None,
) -> None:
    """Written whole or not at all. Without OpenGL it has no pictures and says so."""
    settings = settings or ReportSettings()
    page = _Page(records, steps, asset_path, settings)
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(page.html(), encoding="utf-8")
    unfinished.replace(path)


def thumbnail(asset: Asset, settings: ReportSettings) -> bytes:
    """A WebP file. Raises NoGraphicsError."""
    picture = render_views(asset.mesh, [Camera()], settings.pixels, colors=asset.face_colors())[0]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=settings.quality)
    return file.getvalue()


@dataclass
class _Page:
    records: Sequence[Record]
    steps: Sequence[str]
    asset_path: Callable[[str], Path]
    settings: ReportSettings
    graphics: bool = True

    def html(self) -> str:
        kept = [record for record in self.records if record.kept]
        lost = len(self.records) - len(kept)
        title = html.escape(self.settings.title)
        parts = [
            f"<h1>{title}</h1><p>{len(self.records):,} found, {len(kept):,} kept, {lost:,} not.</p>",
            self._steps(),
            "<h2>Why not</h2>",
            self._reasons(),
            "<h2>Kept</h2>",
            self._grid(kept, self.settings.kept, ""),
            self._notes(kept),
            self._table("Licences of what was kept", Counter(record.licence for record in kept)),
            self._table("Categories of what was kept", Counter(record.category or "none" for record in kept)),
        ]
        head = '<!doctype html><html lang="en"><meta charset="utf-8">'
        head += '<meta name="viewport" content="width=device-width">'
        return f"{head}<title>{title}</title><style>{_STYLE}</style>{''.join(parts)}</html>\n"

    def _steps(self) -> str:
        """In, out and cost of each step."""
        rows, left = [], len(self.records)
        for step in self.steps:
            lost = sum(record.step == step for record in self.records)
            seconds = [record.seconds[step] for record in self.records if step in record.seconds]
            each = f"{np.mean(seconds):.3f}" if seconds else "-"
            share = (left - lost) / max(len(self.records), 1)
            rows.append(
                f'<tr><td>{html.escape(step)}<td class="n">{left:,}<td class="n">{lost:,}'
                f'<td class="n">{left - lost:,}<td class="n">{each}<td class="w">{_bar(share)}'
            )
            left -= lost
        head = '<tr><th>Step<th class="n">In<th class="n">Lost<th class="n">Out<th class="n">Seconds each<th>'
        return f"<table>{head}{''.join(rows)}</table>"

    def _reasons(self) -> str:
        lost = [record for record in self.records if not record.kept]
        if not lost:
            return "<p>Nothing was left out.</p>"
        counts = Counter((record.step, record.reason) for record in lost)
        order = {step: number for number, step in enumerate(self.steps)}
        sections = []
        for (step, reason), count in sorted(
            counts.items(), key=lambda item: (order.get(item[0][0] or "", len(order)), -item[1])
        ):
            own = [record for record in lost if (record.step, record.reason) == (step, reason)]
            sections.append(
                f"<details open><summary><b>{html.escape(_words(reason))}</b> "
                f'<span class="faint">{html.escape(step or "")}, {count:,}'
                f"{_sampled(count, self.settings.per_reason)}</span>"
                f"{_bar(count / len(self.records), bad=True)}</summary>"
                f"{self._grid(own, self.settings.per_reason, 'detail')}</details>"
            )
        return "".join(sections)

    def _notes(self, kept: Sequence[Record]) -> str:
        """What was handled rather than refused."""
        counts = Counter(note for record in kept for note in record.notes)
        if not counts:
            return ""
        sections = []
        for note, count in counts.most_common():
            own = [record for record in kept if note in record.notes]
            sections.append(
                f"<details><summary>{html.escape(_words(note))} "
                f'<span class="faint">{count:,}{_sampled(count, self.settings.per_reason)}</span></summary>'
                f"{self._grid(own, self.settings.per_reason, 'detail')}</details>"
            )
        return f"<h2>Kept, with a note</h2>{''.join(sections)}"

    def _table(self, title: str, counts: Counter[str]) -> str:
        total = max(sum(counts.values()), 1)
        rows = "".join(
            f'<tr><td>{html.escape(name)}<td class="n">{count:,}<td class="w">{_bar(count / total)}'
            for name, count in counts.most_common(60)
        )
        return f"<h2>{html.escape(title)}</h2><table>{rows}</table>"

    def _grid(self, records: Sequence[Record], limit: int, detail: str) -> str:
        """Pictures of a fair sample, in the order of the records."""
        if len(records) > limit:
            chosen = np.random.default_rng(self.settings.seed).choice(len(records), limit, replace=False)
            records = [records[index] for index in np.sort(chosen)]
        return f'<div class="grid">{"".join(self._figure(record, detail) for record in records)}</div>'

    def _figure(self, record: Record, detail: str) -> str:
        label = html.escape(record.name or Path(record.source).name)
        sentence = f'<br><span class="faint">{html.escape(record.detail)}</span>' if detail else ""
        return (
            f'<figure title="{html.escape(record.source, quote=True)}">{self._picture(record)}'
            f"<figcaption>{label}{sentence}</figcaption></figure>"
        )

    def _picture(self, record: Record) -> str:
        if record.key is None or not self.graphics:
            return f'<div class="none">{"no picture" if self.graphics else "no OpenGL"}</div>'
        try:
            data = thumbnail(read_asset(self.asset_path(record.key)), self.settings)
        except NoGraphicsError:
            self.graphics = False
            return '<div class="none">no OpenGL</div>'
        except (ValueError, OSError):
            return '<div class="none">no picture</div>'
        return f'<img loading="lazy" src="data:image/webp;base64,{base64.b64encode(data).decode()}">'


def _bar(share: float, *, bad: bool = False) -> str:
    return f'<div class="bar{" bad" if bad else ""}" style="width:{share:.2%}"></div>'


def _sampled(count: int, limit: int) -> str:
    return f", {limit} of them shown" if count > limit else ""


def _words(code: str | None) -> str:
    return (code or "unknown").replace("_", " ")
