"""Where a model runs, and in which type its transformer's weights are held and computed with."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from backend.failures import WeightsError
from backend.model.quantized import block_linears, quantize_linears
from backend.model.transformer import DualStreamTransformer

AUTO = "auto"
TRANSFORMERS = ("transformer", "edit_transformer")  # modules of a model folder
COMPUTE = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": None}


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A device, and how its transformer computes."""

    device: torch.device
    compute: str = (
        AUTO  # a key of COMPUTE, or as the device does best: bfloat16 on a GPU, as stored elsewhere
    )

    @property
    def dtypes(self) -> dict[str, torch.dtype]:
        """Of the modules of a folder, where they are not to be as stored."""
        gpu = self.device.type == "cuda"
        wanted = torch.bfloat16 if gpu and self.compute in (AUTO, "int8") else COMPUTE.get(self.compute)
        return {} if wanted is None else dict.fromkeys(TRANSFORMERS, wanted)

    def settle(self, transformer: DualStreamTransformer) -> None:
        """Holds the linear layers that every token reads in int8, where that is asked for."""
        if self.compute == "int8":
            quantize_linears(transformer, block_linears(transformer))


def hardware(device: str = AUTO, compute: str = AUTO) -> Hardware:
    """A device by name, such as cpu or cuda:1; auto is a GPU where there is one. Raises WeightsError."""
    if compute not in (AUTO, *COMPUTE):
        raise WeightsError(f"Weights cannot be held as {compute!r}; choose {', '.join((AUTO, *COMPUTE))}.")
    if device == AUTO:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise WeightsError(f"There is no device {device!r}; choose auto, cpu or cuda.") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise WeightsError("No GPU is in reach of this torch; choose cpu, or install torch's CUDA build.")
    return Hardware(device=found, compute=compute)
