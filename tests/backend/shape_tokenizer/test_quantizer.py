import pytest
import torch
import torch.nn.functional as F

from backend.shape_tokenizer.quantizer import (
    CodebookUsage,
    SphericalVectorQuantizer,
    nearest,
    spherical_kmeans,
)


def quantizer(**options: float) -> SphericalVectorQuantizer:
    torch.manual_seed(0)
    return SphericalVectorQuantizer(width=12, n_codes=32, code_dim=6, **options)


def test_state_dict_has_the_published_names() -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in quantizer().state_dict().items()}
    assert shapes == {
        "cb_weight": (6,),
        "cb_bias": (6,),
        "codebook.weight": (32, 6),
        "c_in.weight": (6, 12),
        "c_in.bias": (6,),
        "c_x.weight": (6, 12),
        "c_x.bias": (6,),
        "c_out.weight": (12, 6),
        "c_out.bias": (12,),
        "norm.weight": (6,),
    }


def test_nearest_code_is_the_one_of_highest_cosine() -> None:
    q, h = quantizer(), torch.randn(2, 50, 12)
    cosine = F.cosine_similarity(q.latents(h)[:, :, None], q.codebook_table()[None, None], dim=-1)
    assert torch.equal(q.encode_ids(h), cosine.argmax(dim=-1))


def test_codes_have_full_length_from_the_start() -> None:
    torch.testing.assert_close(
        quantizer().codebook_table().norm(dim=-1), torch.full((32,), 6**0.5), rtol=1e-3, atol=0
    )


def test_forward_embeds_what_decoding_its_ids_embeds() -> None:
    q, h = quantizer().eval(), torch.randn(2, 5, 12)
    torch.testing.assert_close(q(h).embedding, q.embed(q.encode_ids(h)))


def test_gradients_pass_straight_through_to_the_encoder_and_by_the_losses_to_the_codes() -> None:
    q, h = quantizer(), torch.randn(2, 5, 12, requires_grad=True)
    out = q(h)
    out.embedding.square().sum().backward()
    assert h.grad is not None
    assert h.grad.abs().sum() > 0
    assert q.codebook.weight.grad is None
    (q(h).commitment_loss + q(h).codebook_loss).backward()
    assert q.codebook.weight.grad is not None
    assert q.codebook.weight.grad.abs().sum() > 0


def test_shortcut_lets_whole_samples_bypass_the_codes() -> None:
    q, h = quantizer(shortcut=0.5), torch.randn(64, 3, 12)
    same = (q(h).embedding - q.embed(q.encode_ids(h))).abs().amax(dim=(1, 2)) < 1e-5
    assert 16 < int(same.sum()) < 48
    assert not quantizer().c_x.weight.requires_grad


def test_kmeans_finds_the_directions_of_the_latents() -> None:
    centres = F.normalize(torch.eye(6), dim=-1) * 6**0.5
    rows = F.normalize(centres.repeat(100, 1) + 0.05 * torch.randn(600, 6), dim=-1) * 6**0.5
    codes = spherical_kmeans(rows, 24, iterations=5, generator=torch.Generator().manual_seed(0))
    assert (codes - centres[nearest(codes, centres)]).norm(dim=-1).max() < 0.5
    assert len(nearest(codes, centres).unique()) == 6


def test_initialised_codes_are_all_used_and_repeat_with_their_seed() -> None:
    q, h = quantizer(), torch.randn(512, 12)
    q.initialise_from(h)
    first = q.codebook_table().clone()
    assert len(q.encode_ids(h[None]).unique()) == 32
    q.initialise_from(h)
    assert torch.equal(first, q.codebook_table())


def test_dead_codes_restart_on_current_latents() -> None:
    q, usage = quantizer(), CodebookUsage(32, decay=0.5)
    alive = torch.arange(16).repeat(8)
    for _ in range(10):
        usage.update(alive)
    assert usage.perplexity() == pytest.approx(16, abs=0.5)
    latents = q.latents(torch.randn(1, 40, 12))
    with torch.no_grad():
        q.cb_bias.fill_(0.3)
    assert usage.restart_dead(q, latents, generator=torch.Generator().manual_seed(0)) == 16
    gaps = torch.cdist(q.codebook_table()[16:], latents[0]).amin(dim=-1)
    assert gaps.max() < 1e-3
    assert not usage.dead().any()
