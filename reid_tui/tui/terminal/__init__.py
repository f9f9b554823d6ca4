"""The terminal's own life: its descriptors, its end, its signals, what it can show and its title."""
