"""Contrastive training that can be watched and steered in a terminal."""

__version__ = "0.1.0"
