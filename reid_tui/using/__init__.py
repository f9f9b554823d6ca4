"""A trained network at work: opened from a run or from an exported file, asked about pictures, exported."""
