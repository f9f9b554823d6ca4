"""The training loop, what it tells and what it can be told."""
