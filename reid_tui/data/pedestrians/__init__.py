"""The generated Re-ID set."""
