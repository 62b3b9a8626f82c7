"""Image tokenizer: square images to one-dimensional discrete tokens and back (Omni123 section 4.3).

`KINDS` names those a checkpoint may hold: configuration and module class, by the kind in its config.json.
"""

from backend.image_tokenizer.tokenizer import QFormerTokenizer, QFormerTokenizerConfig

KINDS = {"qformer": (QFormerTokenizerConfig, QFormerTokenizer)}
