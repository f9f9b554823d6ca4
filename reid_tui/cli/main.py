"""The command line: which commands there are, and how an error is told. Torch and textual wait for a command."""

from __future__ import annotations

import os
import sys
from typing import Final

import typer

from reid_tui.cli.attach import attach
from reid_tui.cli.bench import bench
from reid_tui.cli.cluster import cluster
from reid_tui.cli.commands import Command, Group
from reid_tui.cli.compare import compare
from reid_tui.cli.dashboard import PROG, dashboard
from reid_tui.cli.data import data
from reid_tui.cli.debug import DEBUG, show_log, show_traceback
from reid_tui.cli.doctor import doctor
from reid_tui.cli.embed import embed
from reid_tui.cli.evaluate import eval_
from reid_tui.cli.export import export
from reid_tui.cli.runs import list_runs, remove_run, show_run
from reid_tui.cli.search import search
from reid_tui.cli.train import train
from reid_tui.errors import FAILURE, INTERRUPTED, OK, USAGE, ReidTuiError
from reid_tui.instructions import sort_fast
from reid_tui.text import printable

_COMPLETING: Final = "_REID_TUI_COMPLETE"
"""Set by the shell while it asks what a line could go on with."""
_EXAMPLES: Final = {
    "dashboard": "reid-tui --data fashion-mnist --margin 0.8",
    "train": "reid-tui train --epochs 5 --json | jq .loss",
    "attach": "reid-tui attach latest",
    "data": "reid-tui data pedestrians --pairs 8",
    "eval": "reid-tui eval latest --rerank --save report.md",
    "compare": "reid-tui compare latest a.png b.png",
    "search": "reid-tui search latest who.jpg crops/",
    "cluster": "reid-tui cluster latest crops/ -o groups.csv",
    "embed": "reid-tui embed latest crops/ -o crops.npz",
    "export": "reid-tui export latest -o model.onnx",
    "bench": "reid-tui bench --rounds 3 --only plain",
    "doctor": "reid-tui doctor --json",
    "runs": "reid-tui runs --json",
    "show": "reid-tui runs show latest",
    "rm": "reid-tui runs rm latest",
}


def _example(name: str) -> str:
    return f"Example: {_EXAMPLES[name]}"


app = typer.Typer(
    cls=Group,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback(invoke_without_command=True, epilog=_example("dashboard"))(dashboard)
for _command in (train, attach, data, eval_, compare, search, cluster, embed, export, bench, doctor):
    _name = _command.__name__.rstrip("_")
    app.command(_name, cls=Command, epilog=_example(_name))(_command)
_runs = typer.Typer(cls=Group, rich_markup_mode=None)
_runs.callback(invoke_without_command=True, epilog=_example("runs"))(list_runs)
_runs.command("show", cls=Command, epilog=_example("show"))(show_run)
_runs.command("rm", cls=Command, epilog=_example("rm"))(remove_run)
app.add_typer(_runs, name="runs")


def run(argv: list[str]) -> int:
    """Run a command line.

    Returns:
        The exit code; every error has been told in one line on stderr.
    """
    if _COMPLETING in os.environ:
        return _complete()
    sort_fast()
    debug = DEBUG in argv
    argv = [word for word in argv if word != DEBUG]
    if debug:
        show_log()
    failure = USAGE if argv[:1] == [compare.__name__] else FAILURE  # whose 1 says that two are different
    try:
        code = app(args=argv, prog_name=PROG, standalone_mode=False)
    except ReidTuiError as error:
        return _told(str(error), max(error.exit_code, failure), debug=debug)
    except KeyboardInterrupt:
        return _told("interrupted", INTERRUPTED, debug=debug)
    except (BrokenPipeError, SystemExit):  # of which typer makes the latter
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return failure
    except Exception as error:
        if hasattr(error, "format_message"):  # what typer's parser raises
            return _told(f"{error.format_message().rstrip('.')}; see {PROG} --help", USAGE, debug=debug)
        first_line = (str(error).splitlines() or [""])[0]
        return _told(f"unexpected {type(error).__name__}: {first_line}; --debug shows where", failure, debug=debug)
    return int(code or 0)


def _complete() -> int:
    """Answer the shell; a line that is wrong so far is no error, and nothing may be said beside the answer."""
    # Typer cleans descriptions by Rich where there is Rich, which takes longer than all the rest; ours are plain.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    try:
        app(prog_name=PROG)
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:
        return FAILURE
    return OK


def _told(message: str, code: int, *, debug: bool) -> int:
    if debug:
        show_traceback()
    print(f"{PROG}: {printable(message, 1000)}", file=sys.stderr)
    return code
