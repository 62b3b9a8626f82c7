"""Pieces of HTML: the style of the page, bars, tables and figures; all text is escaped here."""

from __future__ import annotations

import base64
import html
from collections import Counter
from collections.abc import Iterable, Sequence

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
td.w{width:22%;vertical-align:middle}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:12px;margin:.8em 0}
.grid.pairs{grid-template-columns:repeat(auto-fill,minmax(262px,1fr))}
figure{margin:0}img,.none{width:128px;height:128px;border-radius:6px;background:#fff;display:inline-block}
.none{display:inline-flex;align-items:center;justify-content:center;color:#999;font-size:12px;
border:1px dashed #bbb;box-sizing:border-box}
figcaption{font-size:12px;line-height:1.3;margin-top:3px;overflow-wrap:anywhere}
.strip{display:flex;gap:3px;overflow-x:auto;margin:.3em 0 .9em}.strip img{width:92px;height:92px;flex:none}
details{border-bottom:1px solid var(--line);padding:.4em 0}summary{cursor:pointer}
"""


def document(title: str, body: str) -> str:
    head = '<!doctype html><html lang="en"><meta charset="utf-8">'
    head += '<meta name="viewport" content="width=device-width">'
    return f"{head}<title>{text(title)}</title><style>{_STYLE}</style>{body}</html>\n"


def text(words: object) -> str:
    return html.escape(str(words))


def code(words: str | None) -> str:
    """A stable code as people read it."""
    return text((words or "unknown").replace("_", " "))


def bar(share: float, *, bad: bool = False) -> str:
    return f'<div class="bar{" bad" if bad else ""}" style="width:{min(share, 1.0):.2%}"></div>'


def image(webp: bytes) -> str:
    return f'<img loading="lazy" alt="" src="data:image/webp;base64,{base64.b64encode(webp).decode()}">'


def missing(why: str) -> str:
    return f'<div class="none">{text(why)}</div>'


def figure(pictures: str, label: str, faint: str = "", title: str = "") -> str:
    below = f'<br><span class="faint">{text(faint)}</span>' if faint else ""
    return f'<figure title="{text(title)}">{pictures}<figcaption>{text(label)}{below}</figcaption></figure>'


def grid(figures: Iterable[str], kind: str = "") -> str:
    return f'<div class="grid {kind}">{"".join(figures)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int]) -> str:
    """Cells are HTML; `numbers` are the columns set to the right, bars get room."""

    def row(cells: Sequence[str], tag: str) -> str:
        wide = [cell.startswith('<div class="bar') for cell in cells]
        kinds = ['class="n"' if i in numbers else 'class="w"' if wide[i] else "" for i in range(len(cells))]
        return "".join(f"<{tag} {kind}>{cell}" for kind, cell in zip(kinds, cells, strict=True))

    lines = "".join(f"<tr>{line}" for line in [row(head, "th"), *(row(cells, "td") for cells in rows)])
    return f"<table>{lines}</table>"


def counted(title: str, counts: Counter[str], limit: int = 60) -> str:
    """A section that lists what was counted, most frequent first."""
    if not counts:
        return ""
    total = max(counts.total(), 1)
    rows = "".join(
        f'<tr><td>{text(name)}<td class="n">{count:,}<td class="w">{bar(count / total)}'
        for name, count in counts.most_common(limit)
    )
    more = f"<p>and {len(counts) - limit:,} more</p>" if len(counts) > limit else ""
    return f"<h2>{text(title)}</h2><table>{rows}</table>{more}"


def sampled(count: int, limit: int) -> str:
    return f", {limit} of them shown" if count > limit else ""
