"""The Q-Former's starting point: tokens from coarse to fine over any grid."""

from __future__ import annotations

import pytest
import torch

from backend.image_tokenizer.qformer import GridDecoder, QueryEncoder, pyramid


@pytest.mark.parametrize(("n_tokens", "grid"), [(64, 8), (8, 3), (40, 3), (1024, 32), (1, 4)])
def test_every_token_averages_a_cell_and_cells_shrink(n_tokens: int, grid: int) -> None:
    rows = pyramid(n_tokens, grid)
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(n_tokens))
    sizes = (rows > 0).sum(dim=1)
    assert sizes[0] == grid**2
    assert sizes.diff().max() <= 0 if n_tokens > 1 and grid in (8, 32) else True
    assert ((rows > 0).sum(dim=0) > 0).all()


def test_any_part_of_a_level_lies_evenly() -> None:
    half = pyramid(21 + 32, 8)[21:].view(32, 2, 4, 2, 4).sum(dim=(0, 2, 4))  # finest tokens by quarter
    assert half.min() >= 6


@torch.no_grad()
def test_untrained_tokens_are_averages_that_the_decoder_hands_back() -> None:
    torch.manual_seed(0)
    sizes = {"latent_dim": 4, "grid": 4, "n_tokens": 21, "width": 8, "n_heads": 2, "n_layers": 1}
    encoder, decoder = QueryEncoder(**sizes), GridDecoder(**sizes)
    for position in (encoder.positions, encoder.queries, decoder.grid, decoder.positions):
        position.zero_()
    latents = torch.randn(1, 1, 4).expand(1, 16, 4)  # one colour everywhere
    tokens = encoder(latents)
    torch.testing.assert_close(tokens, tokens[:, :1].expand_as(tokens))
    _, features = decoder(tokens)
    torch.testing.assert_close(features, tokens[:, :1].expand(1, 16, 8))
