"""The ways out of the dashboard, and what is left in the scrollback."""
