"""What stays on disk: the run directory and its event log."""
