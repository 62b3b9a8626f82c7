"""What every decoding benchmark counts and times the same way."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from backend.model.transformer import DualStreamTransformer
from backend.presets import cache_elements


def median_ms(run: Callable[[], object], times: int) -> float:
    """Milliseconds of a call."""
    laps = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        laps.append(1000 * (time.perf_counter() - started))
    return statistics.median(laps)


def bytes_per_step(model: DualStreamTransformer, conditioning: Sequence[int], position: float) -> float:
    """What must be read for one token of each row: weights of the generation half, then keys and values.

    conditioning: positions of each row's; position: how many fed ones there are, on average.
    """
    config = model.config
    tensors = [*model.named_parameters(), *model.named_buffers()]
    blocks = [
        tensor
        for name, tensor in tensors
        if name.startswith("transformer.") and not any(part in name for part in ("pre_c", "post_2", "wte"))
    ]
    head = model.lm_head.weight[: config.n_shape_codes]
    weights = sum(tensor.numel() * tensor.element_size() for tensor in (*blocks, head))
    table = model.transformer.wte.weight
    element = 4 if table.device.type == "cpu" else table.element_size()  # caches are float32 on CPUs
    cached = sum(
        cache_elements(config, 0, row) + position * cache_elements(config, 1, 0) for row in conditioning
    )
    return weights + element * cached
