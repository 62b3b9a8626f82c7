"""Shape tokenizers: surface points to discrete tokens, and tokens to an occupancy field.

`KINDS` names those a checkpoint may hold: configuration and module class, by the kind in its config.json.
"""

from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig
from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizer, PerceiverShapeTokenizerConfig

KINDS = {
    "grid": (GridShapeTokenizerConfig, GridShapeTokenizer),
    "perceiver": (PerceiverShapeTokenizerConfig, PerceiverShapeTokenizer),
}
