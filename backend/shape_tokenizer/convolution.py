"""3x3x3 convolution that asks oneDNN for small volumes too, where torch takes loops 2.5 to 15 times as slow.

torch 2.13 (use_mkldnn in Convolution.cpp) calls oneDNN for a single volume only from some size on. Measured
on two cores: 24^3 cells of 32 channels 22.8 to 1.5 ms, 12^3 of 64 3.2 to 0.7 ms, 6^3 of 160 1.7 to 0.7 ms.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Conv3(nn.Conv3d):
    """A convolution that keeps the volume's size, with the names and values of nn.Conv3d."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to (B, O, D, H, W)."""
        single = len(x) == 1 and x.device.type == "cpu" and x.dtype == self.weight.dtype == torch.float32
        if single and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            ones = (1, 1, 1)
            return torch.mkldnn_convolution(x, self.weight, self.bias, ones, ones, ones, 1)
        return super().forward(x)
