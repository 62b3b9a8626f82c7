"""Everything behind the socket: model, tokenizers, geometry, decoding, and the server in front of them."""
