"""What stands on the screen: header, panels, footer."""
