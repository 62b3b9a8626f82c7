"""The contract between Blender and the backend (O3P): messages, frames, blobs, arrays, errors, limits.

Standard library, numpy and safetensors only, because this package also runs inside Blender.
docs/protocol.md is the same contract in words; a test compares the two.
"""
