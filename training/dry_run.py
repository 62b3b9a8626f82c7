"""What a stage needs on many GPUs, worked out without one: `omni123-train train pt1 --dry-run`.

The model is built on the meta device and sharded by FSDP over a process group that only pretends to be there,
so a GPU's share of the parameters is what FSDP would give it, rounding included; the activations are those
that autograd asks to keep in a forward pass. Seconds are FLOPs over a utilisation that the caller states.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from backend.model.config import TransformerConfig
from backend.model.text.embeddings import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.sequence import Layout
from training.flops import logits, parts_of, sample_flops
from training.recipes.stages import StageRecipe
from training.recipes.tokens import drawn, tokens_per_sample, tokens_seen

GB = 1e9
# Bytes of a parameter at rest: float32 weights, gradients, two moments of Adam, averaged weights.
AT_REST = {"weights": 4, "gradients": 4, "Adam": 8, "average": 4}
BF16 = 2
# Of one logit: as the head gives it, in float32 for the loss, its softmax kept, their gradients.
LOGIT_BYTES = BF16 + 4 + 4 + 4 + BF16
HEADROOM = 0.9  # of a GPU's memory may be planned with; the rest is the allocator's and NCCL's


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What a stage runs on; figures of an H100 SXM from the maker's data sheet."""

    devices: int
    memory: float = 80 * GB  # bytes of each
    flops: float = 989e12  # of each, dense bf16, 1/s
    utilisation: float = 0.4  # share of them that training reaches: model FLOPs, recomputation not counted
    checkpoint_activations: bool = True  # keep a layer's inputs alone and compute it again for its gradient

    def __post_init__(self) -> None:
        if self.devices < 1 or not 0 < self.utilisation <= 1 or min(self.memory, self.flops) <= 0:
            raise ValueError(f"there is no such cluster: {self}")


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Parameters of a model under FSDP."""

    total: int
    largest: int  # of one GPU at rest
    gathered: int  # whole in memory at once: what belongs to no layer, and two layers


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """A stage on a cluster; memory in bytes of the GPU that holds most."""

    parameters: dict[str, int]
    shares: Shares
    longest: int  # positions of the longest sequence
    at_once: int  # samples of one forward pass of one GPU
    accumulation: int  # forward passes of a step
    memory: dict[str, float]
    replicated: float  # bytes at rest without sharding, as DDP holds them
    tokens: float
    tokens_per_sample: float
    sample_flops: float
    days: float


def dry_run(stage: StageRecipe, cluster: Cluster) -> DryRun:
    """Raises ValueError when not even one sample fits into a GPU."""
    model = meta_model(stage.config)
    parameters = parts_of(model)
    config, layouts = stage.config, list(drawn(stage))
    longest = max(
        (layout for _, layout in layouts),
        key=lambda layout: (layout.n_positions(config.lengths), logits(config, layout)),
    )
    sample = _sample_bytes(model, longest, cluster.checkpoint_activations)
    shares = sharded(config, cluster.devices)
    fixed = {name: float(size * shares.largest) for name, size in AT_REST.items()}
    # Two layers' gradients are whole before they are scattered.
    fixed["gathered"] = float(shares.gathered * BF16 + (shares.gathered - _outside(model)) * BF16)
    own = -(-stage.loop.batch // cluster.devices)
    room = HEADROOM * cluster.memory - sum(fixed.values())
    at_once = min(own, int(room // sum(sample.values())))
    if at_once < 1:
        needed = (sum(fixed.values()) + sum(sample.values())) / HEADROOM / GB
        less = "" if cluster.checkpoint_activations else "; --checkpoint-activations needs less"
        raise ValueError(
            f"one sample of {stage.name} needs {needed:.1f} GB, a GPU has {cluster.memory / GB:.1f}{less}"
        )
    flops = sum(chance * sample_flops(config, parameters, layout) for chance, layout in layouts)
    seconds = (
        stage.loop.steps * stage.loop.batch * flops / (cluster.devices * cluster.flops * cluster.utilisation)
    )
    return DryRun(
        parameters=parameters,
        shares=shares,
        longest=longest.n_positions(config.lengths),
        at_once=at_once,
        accumulation=-(-own // at_once),
        memory=fixed | {name: at_once * size for name, size in sample.items()},
        replicated=float(sum(AT_REST.values()) * shares.total),
        tokens=tokens_seen(stage),
        tokens_per_sample=tokens_per_sample(stage),
        sample_flops=flops,
        days=seconds / 86_400,
    )


def meta_model(config: TransformerConfig) -> DualStreamTransformer:
    """The transformer without its values, codebooks included."""
    with torch.device("meta"):
        model = DualStreamTransformer(config)
        for name, codes in (("shape", config.n_shape_codes), ("image", config.n_image_codes)):
            width = getattr(config, f"{name}_code_dim")
            model.register_buffer(f"{name}_codebook", torch.empty(codes, width), persistent=False)
    return model


def _layers(model: DualStreamTransformer) -> list[nn.Module]:
    return [*model.transformer.dual(), *model.transformer.single()]


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _outside(model: DualStreamTransformer) -> int:
    """Parameters of no layer: embeddings, heads, text projections."""
    return _size(model) - sum(_size(layer) for layer in _layers(model))


@contextmanager
def _pretended(devices: int) -> Iterator[None]:
    """A process group of this process and of others that are not there."""
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=devices)
    try:
        yield
    finally:
        dist.destroy_process_group()


def sharded(config: TransformerConfig, devices: int) -> Shares:
    """What FSDP leaves on the first GPU, which holds most: tensors are cut by rows, and the odd rows, as well
    as tensors of a single row, are its own."""
    model = meta_model(config)
    total, layers = _size(model), _layers(model)
    gathered = _outside(model) + 2 * max(_size(layer) for layer in layers)
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    with _pretended(devices):
        mesh = init_device_mesh("cpu", (devices,))
        for module in (*layers, model):
            fully_shard(module, mesh=mesh, mp_policy=policy)
        largest = sum(cast(DTensor, parameter).to_local().numel() for parameter in model.parameters())
    return Shares(total=total, largest=largest, gathered=gathered)


def _sample_bytes(model: DualStreamTransformer, layout: Layout, checkpoint: bool) -> dict[str, float]:
    """What one sample keeps for its gradient, in bf16."""
    config = model.config
    positions, words = layout.n_positions(config.lengths), config.text_tokens
    every = _kept(model.to(torch.bfloat16), positions)
    layers = config.n_dual + config.n_single
    if checkpoint:
        inputs = config.n_dual * (words + positions) + config.n_single * positions
        # One layer at a time is whole again, with the gradients of what it keeps.
        activations = BF16 * config.width * inputs + 2 * every / layers
    else:
        activations = every
    return {"activations": activations, "logits": float(LOGIT_BYTES * logits(config, layout))}


def _kept(model: DualStreamTransformer, positions: int) -> float:
    """Bytes that autograd keeps of one sequence's forward pass, parameters aside."""
    config, kept = model.config, dict[int, tuple[Tensor, int]]()
    own = {parameter.untyped_storage()._cdata for parameter in model.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = tensor, storage.nbytes()  # the tensor, so that no address serves twice
        return tensor

    with torch.device("meta"):
        text = TextEmbeddings(
            parts=tuple(torch.empty(1, part.tokens, part.width) for part in config.text),
            masks=tuple(torch.ones(1, part.tokens, dtype=torch.bool) for part in config.text),
        )
        ids = torch.zeros(1, positions, dtype=torch.int64)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.hidden(ids, text)
    return float(sum(size for _, size in kept.values()))


def report(stage: StageRecipe, cluster: Cluster, found: DryRun) -> str:
    """A plan as text."""
    loop, gpus = stage.loop, f"{cluster.devices} GPUs of {cluster.memory / GB:.0f} GB"
    lines = [f"{stage.preset} {stage.name} on {gpus}", "", "parameters"]
    lines += [f"  {part:<38}{count:>16,}" for part, count in found.parameters.items()]
    lines += [
        f"  {'all':<38}{found.shares.total:>16,}",
        f"  {'of one GPU under FSDP':<38}{found.shares.largest:>16,}",
    ]
    kind = "checkpointed" if cluster.checkpoint_activations else "all kept"
    lines += ["", f"memory of one GPU, GB (activations {kind}, {found.at_once} samples of {found.longest:,})"]
    lines += [f"  {name:<38}{size / GB:>16.2f}" for name, size in found.memory.items()]
    lines += [f"  {'all':<38}{sum(found.memory.values()) / GB:>16.2f}"]
    lines += [f"  {'without sharding (DDP), at rest':<38}{found.replicated / GB:>16.2f}", "", "run"]
    own = -(-loop.batch // cluster.devices)
    rows = {
        "samples of a step": f"{loop.batch:,} = {cluster.devices} GPUs x {own}",
        "forward passes of a step, accumulated": f"{found.accumulation}",
        "steps": f"{loop.steps:,}, {loop.warmup:,} of warm-up to {loop.peak_lr:g}",
        "tokens of a sample": f"{found.tokens_per_sample:,.1f}",
        "tokens seen": f"{found.tokens / 1e12:.3f} T",
        "FLOPs of a sample": f"{found.sample_flops:.3g}",
        "days": f"{found.days:.2f} at {cluster.utilisation:.0%} of {cluster.flops / 1e12:.0f} TFLOP/s",
    }
    return "\n".join([*lines, *(f"  {name:<38}  {value}" for name, value in rows.items())])
