"""Cached decoding of rows: keys and values held per row, one token of each active row per step."""
