"""KernelRows against `model.forward` token by token, and against itself in other company."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from backend.decode.rows import KernelRows
from backend.model.config import TextInput, TransformerConfig
from backend.model.quantized import QuantizedLinear, quantize_linears
from backend.model.text.embeddings import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.sequence import MODALITIES, Modality, visibility

LENGTH = 12
CONFIG = TransformerConfig(
    n_dual=3,
    n_single=2,
    width=64,
    n_heads=2,
    n_shape_codes=50,
    shape_code_dim=8,
    n_shape_tokens=LENGTH,
    embed_codes="learned",
    n_image_codes=30,
    image_code_dim=8,
    n_image_tokens=9,
    embed_image_codes="learned",
    text=(TextInput(width=16, tokens=7),),
)


@pytest.fixture(autouse=True)
def _inference() -> object:
    with torch.inference_mode():
        yield


def make_model(config: TransformerConfig = CONFIG) -> DualStreamTransformer:
    torch.manual_seed(0)
    with torch.inference_mode(False), torch.no_grad():
        model = DualStreamTransformer(config).eval()
        for parameter in model.parameters():  # norms and biases too must tell rows apart
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def prompt(tokens: int, seed: int = 0) -> TextEmbeddings:
    generator = torch.Generator().manual_seed(seed)
    part = torch.randn(1, tokens, CONFIG.text[0].width, generator=generator)
    return TextEmbeddings(parts=(part,), masks=(torch.ones(1, tokens, dtype=torch.bool),))


def token_ids(count: int = LENGTH, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 50, (count,), generator=generator).tolist()


def rows_for(model: DualStreamTransformer, rows: int = 4, threads: int | None = None) -> KernelRows:
    decoder = KernelRows(model, threads)
    decoder.reserve(rows, 8, LENGTH)
    return decoder


def forward(
    model: DualStreamTransformer, ids: Sequence[int], text: TextEmbeddings, prefix: int = 0
) -> dict[Modality, Tensor]:
    due = torch.ones(1, len(ids), dtype=torch.bool)
    visible = visibility(prefix, len(ids)) if prefix else None
    return model.forward(
        torch.tensor([ids]), text, visible=visible, due={modality: due for modality in MODALITIES}
    )


def decode(decoder: KernelRows, ids: Sequence[int], row: int = 0, head: Modality = "shape") -> Tensor:
    """Logits (L, V) of one row, fed alone."""
    steps = [decoder.step([row], [token], [head])[0] for token in ids]
    return torch.stack([step for step in steps if step is not None])


def assert_same(decoder: KernelRows, model: DualStreamTransformer, tolerance: float = 1e-5) -> None:
    """Both heads by turns, from the first token to the last."""
    ids, text = token_ids(), prompt(5)
    expected = forward(model, ids, text)
    decoder.join(0, model.prompt_keys_values(text))
    for index, token in enumerate(ids):
        head = MODALITIES[index % 2]
        (logits,) = decoder.step([0], [token], [head])
        assert logits is not None
        wanted = expected[head][index, : len(logits)].float()
        torch.testing.assert_close(logits, wanted, atol=tolerance, rtol=tolerance)


def test_tokens_equal_the_uncached_model() -> None:
    model = make_model()
    assert_same(rows_for(model), model)


@pytest.mark.parametrize(("width", "heads"), [(36, 3), (40, 4), (30, 1), (96, 1)])
def test_widths_that_fill_no_vector(width: int, heads: int) -> None:
    model = make_model(replace(CONFIG, width=width, n_heads=heads))
    assert_same(rows_for(model), model)


def test_inputs_longer_than_a_block() -> None:
    model = make_model(replace(CONFIG, width=136, n_heads=2, mlp_ratio=5, n_dual=1, n_single=1))
    assert_same(rows_for(model), model)


def test_a_model_without_single_stream_layers_or_biases() -> None:
    model = make_model(replace(CONFIG, n_single=0, bias=False))
    assert_same(rows_for(model), model)


def test_bfloat16_weights_are_read_as_stored() -> None:
    model = make_model().bfloat16()
    decoder = rows_for(model)
    assert decoder._kept[0].data_ptr() == next(model.transformer.dual()).attn.pre_x.c_qk.weight.data_ptr()
    wide = make_model().bfloat16().float()
    decoder.join(0, wide.prompt_keys_values(prompt(5)))
    expected = forward(wide, token_ids(), prompt(5))["shape"][:, :50]
    torch.testing.assert_close(decode(decoder, token_ids()), expected, atol=1e-5, rtol=1e-5)


def test_int8_weights_equal_the_dequantised_model() -> None:
    model = make_model()
    linears = [name for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)]
    with torch.inference_mode(False):
        quantize_linears(
            model, [name for name in linears if name.startswith("transformer") or "head" in name]
        )
    assert isinstance(model.lm_head, QuantizedLinear)
    assert_same(rows_for(model), model)


def test_a_prefix_enters_whole() -> None:
    model, text = make_model(), prompt(4)
    ids, prefix = token_ids(), 5
    conditioning = model.prompt_keys_values(text)
    decoder = rows_for(model)
    decoder.join(0, conditioning, model.prefill(torch.tensor(ids[:prefix]), conditioning))
    expected = forward(model, ids, text, prefix)["shape"][prefix:, :50]
    torch.testing.assert_close(decode(decoder, ids[prefix:]), expected, atol=1e-5, rtol=1e-5)


def test_a_row_does_not_depend_on_its_company() -> None:
    model = make_model(replace(CONFIG, width=72, n_heads=2))
    conditioning = model.prompt_keys_values(prompt(5))
    alone = rows_for(model)
    alone.join(0, conditioning)
    expected = decode(alone, token_ids())
    for company in (1, 2, 3, 4, 6, 12, 15):
        crowd = rows_for(model, rows=16)
        for row in range(1, company + 1):
            crowd.join(row, model.prompt_keys_values(prompt(1 + row % 7, seed=row)))
        crowd.join(0, conditioning)
        for index, token in enumerate(token_ids()):
            others = token_ids(company, seed=index)
            heads = [MODALITIES[(index + row) % 2] for row in range(company)]
            logits = crowd.step([*range(1, company + 1), 0], [*others, token], [*heads, "shape"])[-1]
            assert logits is not None
            assert torch.equal(logits, expected[index]), f"{company} others, token {index}"


def test_rows_join_and_leave_between_tokens() -> None:
    model, ids = make_model(), token_ids()
    prompts = [prompt(2), prompt(7, seed=1), prompt(3, seed=2)]
    expected = [forward(model, ids, text)["shape"][:, :50] for text in prompts]
    decoder = rows_for(model, rows=2)
    decoder.join(0, model.prompt_keys_values(prompts[0]))
    decode(decoder, ids[:3])
    decoder.join(1, model.prompt_keys_values(prompts[1]))
    pair = decoder.step([1, 0], [ids[0], ids[3]], ["shape", "shape"])
    torch.testing.assert_close(pair, [expected[1][0], expected[0][3]], atol=1e-5, rtol=1e-5)
    decoder.leave(0)
    decoder.join(0, model.prompt_keys_values(prompts[2]))
    pair = decoder.step([0, 1], [ids[0], ids[1]], ["shape", "shape"])
    torch.testing.assert_close(pair, [expected[2][0], expected[1][1]], atol=1e-5, rtol=1e-5)


def test_growing_keeps_rows_in_flight() -> None:
    model, ids = make_model(), token_ids()
    decoder = KernelRows(model)
    decoder.reserve(1, 5, 4)
    decoder.join(0, model.prompt_keys_values(prompt(5)))
    first = decode(decoder, ids[:4])
    with pytest.raises(ValueError, match="all its 4 positions"):
        decoder.step([0], [ids[4]], ["shape"])
    decoder.reserve(3, 8, LENGTH)
    rest = decode(decoder, ids[4:])
    expected = forward(model, ids, prompt(5))["shape"][:, :50]
    torch.testing.assert_close(torch.cat((first, rest)), expected, atol=1e-5, rtol=1e-5)


def test_a_row_without_a_head_only_fills_its_cache() -> None:
    model, ids = make_model(), token_ids()
    decoder = rows_for(model)
    decoder.join(0, model.prompt_keys_values(prompt(5)))
    assert [decoder.step([0], [token], [None]) for token in ids[:-1]] == [[None]] * (LENGTH - 1)
    (last,) = decoder.step([0], [ids[-1]], ["image"])
    assert last is not None
    torch.testing.assert_close(last, forward(model, ids, prompt(5))["image"][-1, :30], atol=1e-5, rtol=1e-5)


def test_the_number_of_threads_changes_no_bit() -> None:
    model = make_model()
    conditioning = model.prompt_keys_values(prompt(5))
    results = []
    for threads in (1, 2, 3):
        decoder = rows_for(model, threads=threads)
        decoder.join(0, conditioning)
        results.append(decode(decoder, token_ids()))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_rows_share_a_conditioning_without_copies() -> None:
    model = make_model()
    conditioning = model.prompt_keys_values(prompt(5))
    decoder = rows_for(model)
    decoder.join(0, conditioning)
    decoder.join(1, conditioning)
    assert decoder._rows[0].held is decoder._rows[1].held


def test_a_taken_row_is_refused() -> None:
    model = make_model()
    decoder = rows_for(model)
    decoder.join(0, model.prompt_keys_values(prompt(5)))
    with pytest.raises(ValueError, match="taken"):
        decoder.join(0, model.prompt_keys_values(prompt(5)))
