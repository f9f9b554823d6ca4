"""What stands on the screen: header, five panels, footer."""
