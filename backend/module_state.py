"""Tensors into modules, and their names out of them: whole or not at all, every difference named."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import torch
from torch import Tensor, nn

from backend.failures import WeightsError
from backend.model.quantized import QuantizedLinear, replace_linears
from backend.shards import some


def fill(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    dead: Collection[str] = (),
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> None:
    """Makes `tensors` the parameters and buffers of `module`; copies only to another type or device.

    Floating point tensors become `dtype`; without one they keep their type, but float16 becomes float32.
    Where int8 weights come with a scale, the module's linear layer becomes a QuantizedLinear, whose scale and
    bias are always float32. A tied parameter may be given under any or all of its names. Names in `dead` are
    passed over when present. Raises WeightsError naming unknown, missing, misshapen or differing keys.
    """
    _hold_int8(module, tensors)
    expected, fixed = module.state_dict(keep_vars=True), int8_state(module)
    given = {name: tensor for name, tensor in tensors.items() if name not in dead}
    for names in aliases(expected):
        found = [name for name in names if name in given]
        if any(not torch.equal(given[found[0]], given[name]) for name in found[1:]):
            raise WeightsError(f"The weights give one tensor two values: {some(found)}.")
        if found:
            kept = dtype if names[0] not in fixed else torch.float32
            given.update(dict.fromkeys(names, _loaded(given[found[0]], kept, device)))
    check_names(
        {name: tuple(tensor.shape) for name, tensor in expected.items()},
        {name: tuple(tensor.shape) for name, tensor in given.items()},
    )
    module.load_state_dict(given, assign=True)
    for owner in module.modules():
        for name, buffer in owner.named_buffers(recurse=False):
            if buffer.is_meta:
                assert buffer.numel() == 0, (
                    f"{name} is built at construction, which a model on meta cannot do"
                )
                setattr(owner, name, torch.empty_like(buffer, device=device))


def check_names(expected: Mapping[str, tuple[int, ...]], given: Mapping[str, tuple[int, ...]]) -> None:
    """Raises WeightsError naming missing, unknown and misshapen tensors."""
    other = sorted(name for name in expected.keys() & given.keys() if expected[name] != given[name])
    problems = {
        "lack": sorted(expected.keys() - given.keys()),
        "have unknown": sorted(given.keys() - expected.keys()),
        "have another shape for": [f"{name} {given[name]} instead of {expected[name]}" for name in other],
    }
    if any(problems.values()):
        told = "; they ".join(f"{verb} {some(names)}" for verb, names in problems.items() if names)
        raise WeightsError(
            f"The weights do not fit their configuration: they {told}. Check that both belong together."
        )


def _hold_int8(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    linears = {name for name, part in module.named_modules() if isinstance(part, nn.Linear)}
    held = [
        name.removesuffix(".weight")
        for name, tensor in tensors.items()
        if name.endswith(".weight") and tensor.dtype == torch.int8
    ]
    replace_linears(module, [name for name in held if name in linears and f"{name}.scale" in tensors])


def int8_state(module: nn.Module) -> set[str]:
    """Names of the tensors that a QuantizedLinear holds in types of its own."""
    return {
        f"{owner}.{name}"
        for owner, part in module.named_modules()
        if isinstance(part, QuantizedLinear)
        for name in part.state_dict()
    }


def aliases(state: Mapping[str, Tensor]) -> Iterator[list[str]]:
    """Groups of names of one tensor."""
    groups: dict[int, list[str]] = {}
    for name, tensor in state.items():
        groups.setdefault(id(tensor), []).append(name)
    yield from groups.values()


def distinct(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """State without the further names of tied tensors."""
    state = module.state_dict(keep_vars=True)
    for names in aliases(state):
        yield names[0], state[names[0]]


def _loaded(tensor: Tensor, dtype: torch.dtype | None, device: str | torch.device) -> Tensor:
    if tensor.is_floating_point():
        return tensor.to(device, dtype or (torch.float32 if tensor.dtype == torch.float16 else tensor.dtype))
    return tensor.to(device)
