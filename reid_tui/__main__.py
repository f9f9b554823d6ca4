"""`python -m reid_tui` and the `reid-tui` script."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from reid_tui.signals import hold

    hold()
    _fill_missing_streams()
    from reid_tui.cli.main import run

    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without some characters gets "?", as stderr gets escapes
        sys.stdout.reconfigure(errors="replace")
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody hears it; the interpreter would fail on it once more, with a code of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if any(name.partition(".")[0] == "torch" for name in sys.modules):  # an import broken off leaves only parts of it
        # Taking torch down takes the interpreter over a second, and a thread in a native call could keep it for ever.
        import logging

        logging.shutdown()
        os._exit(code)
    sys.exit(code)


def _fill_missing_streams() -> None:
    """Of a process that was started without them: else the next files that are opened take their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest that is free
        pass
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    main()
