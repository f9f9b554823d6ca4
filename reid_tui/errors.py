"""Errors that a person can act on: what happened, the value, the remedy, in one line."""

from __future__ import annotations

OK, FAILURE, USAGE, DIVERGED, HUNG_UP, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 129, 130, 143
"""Exit codes of every command."""


class ReidTuiError(Exception):
    """Base of all expected errors; its text is one line and needs no traceback."""

    exit_code = FAILURE


class UsageError(ReidTuiError):
    """An option or a combination of options cannot be used."""

    exit_code = USAGE


class DataError(UsageError):
    """A data set is missing, unknown or damaged."""


class RunError(UsageError):
    """A run cannot be found, created or continued."""


class CheckpointError(RunError):
    """A checkpoint does not verify or does not fit the run that asked for it."""
