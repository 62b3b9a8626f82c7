"""How residual blocks start: as the identity, which learns faster from scratch (measured on `mini`)."""

from __future__ import annotations

from torch import nn

from backend.shape_tokenizer.attention import CrossAttentionBlock, SelfAttentionBlock


def start_still(*stacks: nn.ModuleList) -> None:
    """Zeroes what each attention block adds to its input."""
    for block in (block for stack in stacks for block in stack):
        assert isinstance(block, SelfAttentionBlock | CrossAttentionBlock)
        for last in (block.attn.c_proj, block.mlp.down_proj):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
