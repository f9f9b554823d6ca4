"""What the screen knows and how it is drawn as text. Pure: no torch, no textual."""
