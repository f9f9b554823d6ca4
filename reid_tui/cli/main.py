"""The command line: parse, check, build options, hand over. Imports torch and textual inside commands only."""

from __future__ import annotations

import inspect
import os
import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from reid_tui import __version__, config
from reid_tui.cli.debug import show_log, show_traceback
from reid_tui.config import RunOptions, ScreenOptions, flag
from reid_tui.errors import FAILURE, INTERRUPTED, USAGE, ReidTuiError, UsageError
from reid_tui.signals import let_go
from reid_tui.text import printable
from reid_tui.tui.terminal.look import check_terminal, decide_fps

if TYPE_CHECKING:
    from collections.abc import Callable

PROG: Final = "reid-tui"
DEBUG: Final = "--debug"
"""May stand anywhere; taken out before the rest is parsed."""
PROGRESS: Final = ("auto", "bar", "plain", "none")


class Option(NamedTuple):
    """One row of the option tables; the value arrives as text and is checked by `config`."""

    name: str
    metavar: str
    help: str
    default: Any = None
    envvar: str | None = None


RUN_OPTIONS: Final = (
    Option("data", "SPEC", "fashion-mnist, mnist, kmnist, pedestrians, or auto.", "auto"),
    Option("data_dir", "DIR", "Where the data files lie, or are put.", None, "REID_TUI_DATA"),
    Option("preset", "NAME", "tutorial: the course tutorial to the letter; fast: all pairs of a batch, bf16 on CUDA."),
    Option("epochs", "N", "Passes over the training images. [tutorial: 5]"),
    Option("steps", "N", "Stop after so many optimiser steps."),
    Option("batch_size", "N", "Pairs a step. [tutorial: 64]"),
    Option("lr", "X", "Adam's learning rate. [tutorial: 0.001]"),
    Option("margin", "X", "Distance beyond which pairs of two identities cost nothing. [tutorial: 1]"),
    Option("pairs", "KIND", "random: the tutorial's pairs; batch: all pairs among a batch's images."),
    Option("loss", "NAME", "contrastive."),
    Option("model", "NAME", "tutorial."),
    Option("embedding_dim", "N", "Dimensions. [2 up to 20 identities, else 64]"),
    Option("device", "NAME", "auto, cpu, cuda, cuda:N or mps.", "auto"),
    Option("precision", "NAME", "auto, fp32 or bf16 (forward pass only)."),
    Option("seed", "N", "Of weights and pairs. [0]"),
    Option("runs_dir", "DIR", "Where runs are kept.", "runs", "REID_TUI_RUNS"),
    Option("name", "NAME", "Of the run's folder, behind the time. [the data set]"),
    Option("resume", "RUN", "Go on with a run: its folder, its name, or latest."),
    Option("eval_every", "X", "Epochs between two evaluations. [tutorial: 0.5]"),
)
SCREEN_OPTIONS: Final = (
    Option("fps", "N", "Most repaints a second; auto is 10, and 4 over SSH.", "auto"),
    Option("glyphs", "KIND", "auto, braille, block or ascii.", "auto"),
    Option("color", "KIND", "auto, truecolor, 256, 16 or none.", "auto"),
    Option("on_hangup", "WHAT", "When the terminal goes away: continue training, or stop after saving.", "continue"),
)
ATTACH_OPTIONS: Final = tuple(option for option in SCREEN_OPTIONS if option.name != "on_hangup")
"""A screen that owns no run has nothing to decide when it goes."""
_WHOLE: Final = ("epochs", "steps", "batch_size", "embedding_dim", "seed")
_REAL: Final = ("lr", "margin", "eval_every")
_CHOICES: Final = {
    "preset": config.PRESETS,
    "pairs": config.PAIRINGS,
    "loss": config.LOSSES,
    "model": config.MODELS,
    "precision": config.PRECISIONS,
}


def run_options(values: dict[str, Any]) -> RunOptions:
    """Check the texts of the run options.

    Raises:
        UsageError: the first that cannot be used.
    """
    checked: dict[str, Any] = {}
    for option in RUN_OPTIONS:
        text = values[option.name]
        if text is None:
            continue
        if option.name in _WHOLE:
            checked[option.name] = config.parse_whole(option.name, text)
        elif option.name in _REAL:
            checked[option.name] = config.parse_number(option.name, text)
        elif option.name in _CHOICES:
            checked[option.name] = config.parse_choice(option.name, text, _CHOICES[option.name])
        else:
            checked[option.name] = text
    config.parse_choice("data", checked["data"], ("auto", *config.DATASETS))
    config.parse_device(checked["device"])
    if "name" in checked:
        config.parse_name(checked["name"])
    return RunOptions(**checked)


def screen_options(values: dict[str, Any]) -> ScreenOptions:
    """Check the texts of the screen options.

    Raises:
        UsageError: the first that cannot be used.
    """
    asked = values["fps"]
    return ScreenOptions(
        fps=decide_fps(None if asked == "auto" else config.parse_whole("fps", asked), os.environ),
        glyphs=config.parse_choice("glyphs", values["glyphs"], config.GLYPHS),
        color=config.parse_choice("color", values["color"], config.COLORS),
        on_hangup=config.parse_choice("on_hangup", values.get("on_hangup", config.HANGUPS[0]), config.HANGUPS),
        mouse=not values["no_mouse"],
        exit_when_done=values["exit_when_done"],
    )


def _with_options(*tables: tuple[Option, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of `tables`; it receives their texts as one dict, `values`."""
    names = {option.name for table in tables for option in table}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "values"]
        added = [
            inspect.Parameter(
                option.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=Annotated[
                    str if option.default is not None else str | None,
                    typer.Option(flag(option.name), metavar=option.metavar, help=option.help, envvar=option.envvar),
                ],
            )
            for table in tables
            for option in table
        ]

        @wraps(command)
        def wrapped(**given: Any) -> Any:  # noqa: ANN401
            values = {name: given.pop(name) for name in names}
            return command(values=values, **given)

        parameters = [*[p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own], *added]
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped

    return decorate


_RunsDir = Annotated[str, typer.Option(metavar="DIR", envvar="REID_TUI_RUNS", help="Where runs are kept.")]
_NoMouse = Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")]
_ExitWhenDone = Annotated[bool, typer.Option("--exit-when-done", help="Close after the last step.")]
app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{PROG} {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
@_with_options(RUN_OPTIONS, SCREEN_OPTIONS)
def dashboard(
    values: dict[str, Any],
    context: typer.Context,
    no_mouse: _NoMouse = False,
    exit_when_done: _ExitWhenDone = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error.")] = False,
) -> int:
    """Train a Siamese network with the contrastive loss, and watch and steer it here.

    Without a command the dashboard opens on a new run.
    """
    if context.invoked_subcommand is not None:
        given = [option for option in (*RUN_OPTIONS, *SCREEN_OPTIONS) if _was_typed(context, option.name)]
        if given:
            where = flag(given[0].name)
            raise UsageError(f"{where} stands before {context.invoked_subcommand!r}; put options behind the command")
        if context.invoked_subcommand not in ("train", "attach"):
            let_go()
        return 0
    options = run_options(values)
    screen = screen_options({**values, "no_mouse": no_mouse, "exit_when_done": exit_when_done})
    from reid_tui.launch import Tether, tethered

    check_terminal(os.environ)

    def show(tether: Tether) -> int:
        from reid_tui.tui.app import run_dashboard

        return run_dashboard(options, screen, tether)

    return tethered(show)


def _was_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


@app.command()
@_with_options(RUN_OPTIONS)
def train(
    values: dict[str, Any],
    as_json: Annotated[bool, typer.Option("--json", help="Events on stdout, one JSON object a line.")] = False,
    progress: Annotated[str, typer.Option(metavar="KIND", help="auto, bar, plain or none; on stderr.")] = "auto",
    replay: Annotated[
        str | None, typer.Option(metavar="RUN", help="Repeat a run with its changes, and compare the weights.")
    ] = None,
) -> int:
    """Train without a screen."""
    options = run_options(values)
    config.parse_choice("progress", progress, PROGRESS)
    if replay is not None and options.resume is not None:
        raise UsageError("--replay repeats a run from its start, --resume goes on with one; give one of the two")
    from reid_tui import headless
    from reid_tui.runs.directory import check_writable, locate_run
    from reid_tui.runs.replay import Replay

    again = None if replay is None else Replay(locate_run(replay, Path(options.runs_dir)))
    check_writable(Path(options.runs_dir))
    return headless.train(options, as_json=as_json, progress=progress, again=again)


@app.command()
@_with_options(ATTACH_OPTIONS)
def attach(
    values: dict[str, Any],
    spec: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's folder, its name, or latest. [the newest running]")
    ] = None,
    runs_dir: _RunsDir = "runs",
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch only: no key steers the run.")] = False,
    no_mouse: _NoMouse = False,
    exit_when_done: _ExitWhenDone = False,
) -> int:
    """Open the dashboard on a run that exists: steer one that trains, look at one that has ended."""
    screen = screen_options({**values, "no_mouse": no_mouse, "exit_when_done": exit_when_done})
    check_terminal(os.environ)
    from reid_tui.launch import Tether, tethered
    from reid_tui.runs.directory import locate_run
    from reid_tui.runs.overview import newest_running

    path = newest_running(Path(runs_dir)) if spec is None else locate_run(spec, Path(runs_dir), begun=False)

    def show(tether: Tether) -> int:
        from reid_tui.tui.app import run_attached

        return run_attached(path, screen, tether, read_only=read_only)

    return tethered(show, "a run that trains goes on, and 'reid-tui attach' shows it again")


@app.command()
def data(
    spec: Annotated[str, typer.Argument(metavar="[SPEC]", help="A data set's name, or auto.")] = "auto",
    pairs: Annotated[str, typer.Option(metavar="N", help="Training pairs to show.")] = "4",
    seed: Annotated[str, typer.Option(metavar="N", help="Of the pairs.")] = "0",
    data_dir: Annotated[
        str | None, typer.Option(metavar="DIR", envvar="REID_TUI_DATA", help="Where the data files lie.")
    ] = None,
) -> int:
    """Show what is in a data set, and pairs as the network will see them."""
    shown = config.parse_whole("pairs_shown", pairs, "--pairs")
    seed_number = config.parse_whole("seed", seed)
    from rich.console import Console
    from rich.text import Text

    from reid_tui.console import console_on
    from reid_tui.data import catalog, show

    talk = console_on(sys.stderr)
    with talk.status("looking for the data") as status:
        dataset = catalog.load(spec, data_dir, lambda text: status.update(Text(printable(text))))
    console = console_on(sys.stdout)
    console.print(show.facts(dataset))
    if shown:
        console.print()
        color = console.color_system is not None and not console.no_color
        console.print(show.pairs(dataset, shown, seed_number, Console().width, color=color))
    return 0


@app.command()
def bench(
    rounds: Annotated[str, typer.Option(metavar="N", help="Times each pair of things is run, in turn.")] = "5",
    steps: Annotated[str, typer.Option(metavar="N", help="Optimiser steps a run.")] = "400",
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Measure this alone; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    data: Annotated[str, typer.Option(metavar="SPEC", help="The data set.")] = "fashion-mnist",
    data_dir: Annotated[
        str | None, typer.Option(metavar="DIR", envvar="REID_TUI_DATA", help="Where the data files lie.")
    ] = None,
) -> int:
    """Measure speed on this machine, each pair of things in turn."""
    from reid_tui.bench.command import run_bench

    return run_bench(
        rounds=config.parse_whole("rounds", rounds),
        steps=config.parse_whole("steps", steps),
        only=tuple(only or ()),
        as_json=as_json,
        data=data,
        data_dir=data_dir,
    )


runs_app = typer.Typer(rich_markup_mode=None)
app.add_typer(runs_app, name="runs")


@runs_app.callback(invoke_without_command=True)
def list_runs(
    context: typer.Context,
    runs_dir: _RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array on stdout.")] = False,
) -> int:
    """List the runs, newest first; `runs rm RUN` removes one."""
    if context.invoked_subcommand is not None:
        if as_json or _was_typed(context, "runs_dir"):
            where = "--json" if as_json else "--runs-dir"
            raise UsageError(f"{where} stands before {context.invoked_subcommand!r}; put options behind the command")
        return 0
    from reid_tui.console import console_on
    from reid_tui.runs import overview
    from reid_tui.runs import table as show

    found = overview.list_runs(Path(runs_dir))
    if as_json:
        print(show.to_json(found))
    elif found:
        show.print_runs(console_on(sys.stdout), found)
    else:
        none = f"no run in {runs_dir!r} yet; start one with '{PROG} train' or name --runs-dir"
        print(f"{PROG}: {printable(none, 1000)}", file=sys.stderr)
    return 0


@runs_app.command("rm")
def remove_run(
    spec: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, or latest.")],
    runs_dir: _RunsDir = "runs",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Remove a run with everything in its folder, after asking."""
    from reid_tui.runs import overview, remove
    from reid_tui.runs import table as show

    path = remove.find_removable(spec, Path(runs_dir))
    if not yes:
        found = overview.summarize(path)
        what = f"{found.name!r} ({found.status}, {show.size(found.size)}) in {str(path.parent)!r}"
        if not _confirmed(printable(f"remove the run {what}? [y/N] ", 1000)):
            raise UsageError(f"the run {path.name!r} is kept; answer y on a terminal, or give --yes")
    remove.remove_run(path)
    print(f"{PROG}: removed {printable(path, 1000)}", file=sys.stderr)
    return 0


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def run(argv: list[str]) -> int:
    """Run a command line.

    Returns:
        The exit code; every error has been told in one line on stderr.
    """
    debug = DEBUG in argv
    argv = [word for word in argv if word != DEBUG]
    if debug:
        show_log()
    try:
        code = app(args=argv, prog_name=PROG, standalone_mode=False)
    except ReidTuiError as error:
        return _told(str(error), error.exit_code, debug=debug)
    except KeyboardInterrupt:
        return _told("interrupted", INTERRUPTED, debug=debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        if hasattr(error, "format_message"):  # what typer's parser raises
            return _told(f"{error.format_message().rstrip('.')}; see {PROG} --help", USAGE, debug=debug)
        first_line = (str(error).splitlines() or [""])[0]
        return _told(f"unexpected {type(error).__name__}: {first_line}; --debug shows where", FAILURE, debug=debug)
    return int(code or 0)


def _told(message: str, code: int, *, debug: bool) -> int:
    if debug:
        show_traceback()
    print(f"{PROG}: {printable(message, 1000)}", file=sys.stderr)
    return code
