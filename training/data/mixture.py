"""How often each pool of training data is drawn: paper section 4.4, Eq. 2 and Table 5.

A recipe says so by probabilities; `training.draws` draws by them.
"""

from __future__ import annotations

from collections.abc import Mapping


def temperature_probabilities(
    sizes: Mapping[str, int], priorities: Mapping[str, float], temperature: float
) -> dict[str, float]:
    """P_i proportional to size_i^T * priority_i (Eq. 2), T in (0, 1].

    No T gives the probabilities that Table 5 prints (T = 0.70 is nearest and off by 0.06), so recipes store
    the printed ones and this serves users' own pools.
    """
    if not 0 < temperature <= 1:
        raise ValueError(f"the mixture's temperature is {temperature}, it must be above 0, up to 1")
    if sizes.keys() != priorities.keys():
        odd = sorted(sizes.keys() ^ priorities.keys())
        raise ValueError(f"each pool needs a size and a priority; one is missing for {', '.join(odd)}")
    if wrong := sorted(name for name in sizes if sizes[name] < 1 or not priorities[name] > 0):
        raise ValueError(f"pools need at least one sample and a positive priority: {', '.join(wrong)}")
    weights = {name: size**temperature * priorities[name] for name, size in sizes.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}
