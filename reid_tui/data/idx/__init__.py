"""The MNIST family: which sets there are, their files, where they lie and how they are fetched."""
