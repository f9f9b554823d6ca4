"""The socket of a running process: what goes over it, where it lies, who serves it and who sends."""
