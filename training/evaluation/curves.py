"""Training curves of a run as one SVG: python -m training.evaluation.curves RUN FIGURE[,FIGURE...] OUT."""

from __future__ import annotations

import json
import sys
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 560, 260, 46
COLORS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1")


def points(run: Path, figure: str) -> list[tuple[int, float]]:
    """(step, value) of every row of `metrics.jsonl` that has the figure."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(row["step"], row[figure]) for row in rows if figure in row]


def plot(run: Path, figures: list[str]) -> str:
    """SVG text. Raises ValueError when the run has none of the figures."""
    curves = {name: values for name in figures if (values := points(run, name))}
    if not curves:
        raise ValueError(f"{run} has no figures named {', '.join(figures)}")
    steps = [step for values in curves.values() for step, _ in values]
    heights = [value for pairs in curves.values() for _, value in pairs]
    low, high = min(heights), max(heights)

    def place(step: float, value: float) -> str:
        x = MARGIN + (WIDTH - 2 * MARGIN) * step / max(steps)
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / ((high - low) or 1)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<path d="M{MARGIN},{MARGIN} V{HEIGHT - MARGIN} H{WIDTH - MARGIN}" fill="none" stroke="#999"/>',
        f'<text x="4" y="{MARGIN + 4}">{high:.3g}</text><text x="4" y="{HEIGHT - MARGIN}">{low:.3g}</text>',
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - MARGIN + 16}" text-anchor="end">step {max(steps)}</text>',
    ]
    for number, (name, pairs) in enumerate(curves.items()):
        color = COLORS[number % len(COLORS)]
        line = " ".join(place(step, value) for step, value in pairs)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        at = f'x="{WIDTH - MARGIN}" y="{20 + 14 * number}"'
        parts.append(f'<text {at} text-anchor="end" fill="{color}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    run, figures, out = sys.argv[1:4]
    Path(out).write_text(plot(Path(run), figures.split(",")), encoding="utf-8")


if __name__ == "__main__":
    main()
