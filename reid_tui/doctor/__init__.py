"""What this machine gives a run, told before one is started: `reid-tui doctor`."""
