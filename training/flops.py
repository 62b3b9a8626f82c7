"""FLOPs of training, counted from a model's parameters and the layouts of its sequences."""

from __future__ import annotations

from torch import nn

from backend.model.config import TransformerConfig
from backend.presets import CONDITIONING, GENERATION, part_of
from backend.sequence import Layout


def parts_of(model: nn.Module) -> dict[str, int]:
    """Parameters of each part."""
    counts: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        counts[part_of(name)] = counts.get(part_of(name), 0) + parameter.numel()
    return counts


def logits(config: TransformerConfig, layout: Layout) -> int:
    """Numbers that the heads write for one sample."""
    return sum(config.lengths[s.modality] * config.vocabulary.rows(s.modality) for s in layout.targets)


def sample_flops(config: TransformerConfig, parts: dict[str, int], layout: Layout) -> float:
    """Of one sample, forward and backward: 6 for each weight a token passes, and for each number of the keys
    and values that it sees. Causal positions see half of what a full matrix would have them see."""
    positions, words = layout.n_positions(config.lengths), config.text_tokens
    sources = sum(1 + config.lengths[segment.modality] for segment in layout.prefix)
    seen = (positions * positions + sources * sources) / 2  # pairs of generation positions
    pairs = config.n_dual * (seen + positions * words) + config.n_single * seen
    pairs += (config.n_dual - 1) * words * words / (2 if config.causal_text else 1)
    weights = positions * parts[GENERATION] + words * parts[CONDITIONING]
    weights += logits(config, layout) * config.width
    weights += sum(text.tokens * text.width for text in config.text) * config.width
    return 6.0 * (weights + 2 * config.width * pairs)
