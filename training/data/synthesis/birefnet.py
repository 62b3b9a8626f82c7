"""Cutting the object out of its picture by BiRefNet (Zheng et al. 2024)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backend.events import Pixels

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as BiRefNet was trained
Floats = NDArray[np.float32]


class BiRefNet:
    """A BiRefNet model as `transformers` loads it; the folder's own code is run, as that model needs."""

    def __init__(self, network: Any, size: int = 1024, device: str = "cpu") -> None:
        self.network, self.size, self.device = network, size, device

    @classmethod
    def load(cls, folder: Path) -> BiRefNet:
        """Raises OSError, ValueError or ImportError where the folder cannot be used."""
        if not (folder / "config.json").is_file():
            raise ValueError(f"there is no model in {folder}")
        from transformers import AutoModelForImageSegmentation

        device = "cuda" if torch.cuda.is_available() else "cpu"
        network = AutoModelForImageSegmentation.from_pretrained(
            str(folder), trust_remote_code=True, local_files_only=True, use_safetensors=True
        )
        return cls(network.float().to(device).eval(), device=device)

    @torch.inference_mode()
    def opacity(self, picture: Pixels) -> Floats:
        height, width = picture.shape[:2]
        image = Image.fromarray(picture, "RGBA").convert("RGB")
        small = np.asarray(image.resize((self.size, self.size), Image.Resampling.BILINEAR), np.float32) / 255
        values = (small - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
        batch = torch.from_numpy(values).permute(2, 0, 1)[None].to(self.device)
        found = self.network(batch)[-1].sigmoid().float().cpu()
        full = torch.nn.functional.interpolate(found, (height, width), mode="bilinear", align_corners=False)
        opacity: Floats = full[0, 0].numpy()
        return opacity
