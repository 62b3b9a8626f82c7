"""The transformer's configuration refuses what cannot be built, and says which field."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from backend.checkpoint import config_from_dict
from backend.model.config import TextInput, TransformerConfig

FIELDS: dict[str, Any] = {
    "n_dual": 24,
    "n_single": 6,
    "width": 1536,
    "n_heads": 12,
    "n_shape_codes": 16384,
    "shape_code_dim": 16,
    "n_shape_tokens": 1024,
    "n_image_codes": 65536,
    "image_code_dim": 64,
    "n_image_tokens": 1024,
    "n_views": 6,
    "text": (TextInput(width=768, tokens=77), TextInput(width=1024, tokens=128)),
}


def test_the_papers_table_builds_and_survives_json_form() -> None:
    config = TransformerConfig(**FIELDS)
    assert (config.head_dim, config.text_tokens, config.vocabulary.rows("shape")) == (128, 205, 16387)
    assert config_from_dict(TransformerConfig, asdict(config)) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_dual", 0),
        ("n_single", -1),
        ("width", 1537),
        ("n_heads", 512),  # head dimension 3
        ("eps", 0.0),
        ("rope_theta", 1.0),
        ("token_dropout", 1.0),
        ("embed_codes", "both"),
        ("embed_image_codes", "both"),
        ("n_image_tokens", 0),
        ("image_code_dim", 0),
        ("n_views", 7),
        ("text", ()),
        ("text", (TextInput(width=0, tokens=77),)),
    ],
)
def test_a_bad_value_is_named_with_its_field(field: str, value: object) -> None:
    named = "head dimension" if field == "n_heads" else field
    with pytest.raises(ValueError, match=named):
        TransformerConfig(**{**FIELDS, field: value})


def test_views_need_images() -> None:
    with pytest.raises(ValueError, match="n_views"):
        TransformerConfig(**{**FIELDS, "n_image_codes": 0})


def test_unknown_and_missing_fields_are_named() -> None:
    whole = asdict(TransformerConfig(**FIELDS))
    with pytest.raises(ValueError, match="colour"):
        config_from_dict(TransformerConfig, {**whole, "colour": 1})
    del whole["eps"]
    with pytest.raises(ValueError, match="eps"):
        config_from_dict(TransformerConfig, whole)
