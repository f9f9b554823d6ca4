"""`python -m reid_tui` and the `reid-tui` script."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from reid_tui.cli import run

    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without some characters gets "?", as stderr gets escapes
        sys.stdout.reconfigure(errors="replace")
    code = run(sys.argv[1:])
    if any(name.partition(".")[0] == "torch" for name in sys.modules):  # an import broken off leaves only parts of it
        # Taking torch down takes the interpreter over a second, and a thread in a native call could keep it for ever.
        logging.shutdown()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
