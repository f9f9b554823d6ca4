"""`reid-tui eval`: what a trained network, or anybody's embeddings, are worth."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.trained import Force, opened, tell
from reid_tui.config import DataOptions, flag
from reid_tui.data.catalog import PREFIXES, SPECS
from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from reid_tui.data.catalog import Report
    from reid_tui.using.eval_text import Room
    from reid_tui.using.evaluating import Evaluated
    from reid_tui.view.palette import Colors

_OF_DATA: Final = ("data_dir", "image_root", "camera_pattern")
_COLORS: Final[dict[str, "Colors"]] = {"truecolor": "truecolor", "256": "256", "standard": "16", "windows": "16"}


def eval_(
    context: typer.Context,
    run: Annotated[str | None, opt.ModelArgument] = None,
    data: Annotated[
        str | None,
        opt.option(
            "data",
            "SPEC",
            "Other data than the run's: its test images, or all where it has no split.",
            opt.DATA,
            lambda text: opt.expanded(text, "--data") if text.startswith("~") else text,
            autocompletion=opt.words(*SPECS, *PREFIXES),
        ),
    ] = None,
    data_dir: opt.DataDir = None,
    image_root: opt.ImageRoot = None,
    camera_pattern: opt.CameraPattern = None,
    embeddings: Annotated[
        str | None,
        opt.option(
            "embeddings",
            "FILE",
            "Score an .npz or .csv file of embeddings instead of a run.",
            opt.DATA,
            lambda text: opt.expanded(text, "--embeddings"),
        ),
    ] = None,
    market: Annotated[
        bool, typer.Option("--market", help="With --embeddings: identity 0 is a distractor.", rich_help_panel=opt.DATA)
    ] = False,
    rerank: Annotated[
        bool,
        typer.Option("--rerank", help="Rank again by mutual neighbours (k-reciprocal).", rich_help_panel=opt.OUTPUT),
    ] = False,
    far: Annotated[
        float | None, opt.number("far", "X", "Tell the true acceptances at this rate of false ones, too.", opt.OUTPUT)
    ] = None,
    save: Annotated[
        list[str] | None,
        opt.option(
            "save",
            "FILE",
            "Write a report: .md, .json or .png; may be given more than once.",
            opt.OUTPUT,
            lambda text: opt.expanded(text, "--save"),
        ),
    ] = None,
    force: Force = False,
    device: opt.Device = "auto",
    runs_dir: opt.RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Score a trained network on labelled pictures it never saw.

    Of the run's own data the test images, of identities in training and others apart; of other data (--data) the
    pictures brought to the network's size. --embeddings scores what any program computed: npz with embeddings (N, D),
    identities (N,), and where they are known cameras (N,) and roles (N,) of query, gallery or both; csv with the
    columns identity, camera, role, and one a dimension. Identity -1 does not count.

    JSON: protocol, queries, queries_without_match, gallery, rank1, rank5, rank10, rank20, map, map_trapezoid, minp,
    auc, eer, threshold, d_prime, tar_at_far, tpir_at_fpir, intervals; the same for each of splits.
    """
    _check(context, run, data, embeddings, market=market)
    from reid_tui.using.eval_files import as_json as in_json
    from reid_tui.using.eval_files import check_files
    from reid_tui.using.eval_files import save as save_in

    files = [Path(file) for file in save or ()]
    check_files(files, force=force)
    from reid_tui.cli.loading import loading_shown

    with loading_shown() as report:
        if run is None:
            found = _of_file(str(embeddings), rerank, far, report, market=market)
        else:
            found = _of_run(context, run, rerank, far, report)
    try:
        for file in files:
            save_in(found, file)
    finally:  # a full disk does not cost what was computed
        tell(found.notes)
        if as_json:
            print(in_json(found))
        else:
            _print(found)
    return 0


def _print(found: "Evaluated") -> None:
    from reid_tui.console import console_on
    from reid_tui.using.eval_text import print_evaluation

    console = console_on(sys.stdout)
    print_evaluation(console, found, _room(console))


def _check(context: typer.Context, run: str | None, data: str | None, embeddings: str | None, *, market: bool) -> None:
    """Refuse what does not go together, before anything is imported."""
    if run is None and embeddings is None:
        raise UsageError("name a RUN (its folder, its name, or latest), or a file with --embeddings")
    if run is not None and embeddings is not None:
        raise UsageError("a RUN and --embeddings are two things to score; give one of the two")
    if market and embeddings is None:
        raise UsageError("--market is for --embeddings; sources such as market1501: know their distractors")
    if data == "":
        raise UsageError("--data must not be empty; leave it out for the run's own data")
    of_data = [
        name for name in ("data", *_OF_DATA) if context.params[name] is not None and opt.was_typed(context, name)
    ]
    if embeddings is not None and of_data:
        raise UsageError(f"{flag(of_data[0])} is for a RUN; leave it out with --embeddings")
    if data is None and of_data:
        raise UsageError(f"{flag(of_data[0])} goes with --data; the run's own data is where it was")


def _of_run(context: typer.Context, run: str, rerank: bool, far: float | None, report: "Report") -> "Evaluated":
    params = context.params
    from reid_tui.using.model import ONNX

    if params["data"] is None and run.endswith(ONNX):
        raise UsageError(f"{run} does not know what data it was trained on; name some with --data")
    model = opened(run, params["runs_dir"], params["device"], report)
    from reid_tui.using.evaluating import Asked, evaluate_on, evaluate_run, is_own

    asked = Asked(rerank, far)
    own = params["data"] is None or is_own(run, Path(params["runs_dir"]), params["data"])
    if own and not any(opt.was_typed(context, name) for name in _OF_DATA):
        return evaluate_run(model, asked, report)
    return evaluate_on(model, opt.picked(context, DataOptions), asked, report, trained_on=own)


def _of_file(file: str, rerank: bool, far: float | None, report: "Report", *, market: bool) -> "Evaluated":
    report("starting torch")
    from reid_tui.using.evaluating import Asked, evaluate_given

    return evaluate_given(Path(file), Asked(rerank, far), report, market=market)


def _room(console: "Console") -> "Room":
    """What a terminal can show; elsewhere 80 columns without colours."""
    from rich.console import Console

    from reid_tui.tui.terminal.look import decide_glyphs
    from reid_tui.using.eval_text import Room
    from reid_tui.view.palette import ChartStyle

    colored = console.color_system is not None and not console.no_color
    colors = _COLORS[console.color_system] if colored and console.color_system else "none"
    return Room(Console().width, ChartStyle(decide_glyphs("auto", os.environ), colors))
