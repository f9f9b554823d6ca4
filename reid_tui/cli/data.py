"""`reid-tui data`: what is in a data set, and what is wrong with it."""

import json
import sys
from typing import Annotated

import typer

from reid_tui.cli import learning_options as learn
from reid_tui.cli import options as opt
from reid_tui.config import DataOptions
from reid_tui.data.catalog import PREFIXES, SPECS, accepted, spellings
from reid_tui.errors import UsageError


def data(
    context: typer.Context,
    spec: Annotated[
        str,
        typer.Argument(autocompletion=opt.words(*SPECS, *PREFIXES), metavar="[SPEC]", help=opt.SPEC_HELP),
    ] = "auto",
    pairs: Annotated[
        int, opt.option("pairs", "N", "Training pairs to show.", opt.OUTPUT, opt.reader("pairs_shown", "--pairs"))
    ] = 4,
    seed: Annotated[int, opt.option("seed", "N", "Of the pairs.", opt.OUTPUT, opt.reader("seed"))] = 0,
    data_dir: opt.DataDir = None,
    image_size: opt.ImageSize = None,
    image_root: opt.ImageRoot = None,
    camera_pattern: opt.CameraPattern = None,
    holdout: opt.Holdout = None,
    exclude: opt.Exclude = None,
    augment: learn.Augment = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove what is kept of these pictures, embeddings too; they stay.")
    ] = False,
) -> int:
    """Show what is in a data set.

    Its facts, what is wrong with its files, and pairs as the network will see them.
    """
    if forget:
        return _forget(spec)
    spec = accepted(spec)
    from rich.console import Console

    from reid_tui.cli.loading import loading_shown
    from reid_tui.console import console_on
    from reid_tui.data import catalog, facts, show

    with loading_shown() as report:
        dataset = catalog.load(opt.picked(context, DataOptions, data=spec), report)
    if as_json:
        print(json.dumps(facts.as_json(dataset), indent=2))
        return 0
    console = console_on(sys.stdout)
    console.print(facts.as_table(dataset))
    if pairs:
        console.print()
        color = console.color_system is not None and not console.no_color
        if augment is not None:
            from reid_tui.training.preview import augmented

            dataset = augmented(dataset, augment, seed)
        console.print(show.pairs(dataset, pairs, seed, Console().width, color=color))
    return 0


def _forget(spec: str) -> int:
    if spec in SPECS:
        raise UsageError(f"nothing is kept of {spec}; --forget is for pictures in files")
    from reid_tui.data.folders.cache import forget

    size = sum(map(forget, spellings(spec)))
    print(f"removed {size / 1e6:,.1f} MB kept of {spec}" if size else f"nothing is kept of {spec}", file=sys.stderr)
    return 0
