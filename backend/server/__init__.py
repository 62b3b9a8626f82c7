"""The network face of the backend: a gateway process that never loads a model, and a worker that does."""
