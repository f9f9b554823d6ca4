"""Measurements: whole commands and loops, side by side."""
