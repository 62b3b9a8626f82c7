"""Experiments on the paper's claims at our scale, each one command that leaves rows and a table."""
