"""`reid-tui data`: what is in a data set."""

import sys
from typing import Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.config import DataOptions
from reid_tui.data.catalog import SPECS
from reid_tui.text import printable


def data(
    spec: Annotated[
        str,
        typer.Argument(autocompletion=opt.words(*SPECS), metavar="[SPEC]", help="A data set's name, or auto."),
    ] = "auto",
    pairs: Annotated[
        int, opt.option("pairs", "N", "Training pairs to show.", opt.OUTPUT, opt.reader("pairs_shown", "--pairs"))
    ] = 4,
    seed: Annotated[int, opt.option("seed", "N", "Of the pairs.", opt.OUTPUT, opt.reader("seed"))] = 0,
    data_dir: opt.DataDir = None,
) -> int:
    """Show what is in a data set.

    Its facts, and pairs as the network will see them.
    """
    from rich.console import Console
    from rich.text import Text

    from reid_tui.console import console_on
    from reid_tui.data import catalog, show

    talk = console_on(sys.stderr)
    with talk.status("looking for the data") as status:
        dataset = catalog.load(
            DataOptions(data=spec, data_dir=data_dir), lambda text, *_: status.update(Text(printable(text)))
        )
    console = console_on(sys.stdout)
    console.print(show.facts(dataset))
    if pairs:
        console.print()
        color = console.color_system is not None and not console.no_color
        console.print(show.pairs(dataset, pairs, seed, Console().width, color=color))
    return 0
