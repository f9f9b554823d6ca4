"""What opens over the dashboard: help and dialogs."""
