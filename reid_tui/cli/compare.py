"""`reid-tui compare`: same or different."""

import csv
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.dashboard import PROG
from reid_tui.errors import UsageError
from reid_tui.text import printable


def compare(
    run: Annotated[str, opt.ModelArgument],
    a: Annotated[str, typer.Argument(metavar="A", help="A picture, a folder of them, or a csv of pairs.")],
    b: Annotated[str | None, typer.Argument(metavar="[B]", help="Another picture or folder.")] = None,
    far: opt.Far = None,
    prior: opt.Prior = 0.5,
    runs_dir: opt.RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A line for each pair on stdout.")] = False,
) -> int:
    """Say whether two pictures show the same.

    Of two folders all pairs are compared, of one those within it. A csv names a pair in each row, in the columns a and
    b, and may say what is right in a column verdict.

    Exit code: 0 same (of folders by the mean; of a csv once all its pairs are compared), 1 different, 2 error.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv do not go together; leave one out")
    a, b = opt.expanded(a, "A"), None if b is None else opt.expanded(b, "B")
    from reid_tui.using.answers import answer, check_question

    check_question(a, b)
    from reid_tui.cli.loading import late_loading_shown
    from reid_tui.using.comparing import judge
    from reid_tui.using.model import open_model

    model = open_model(run, Path(runs_dir))
    for note in model.note:
        _say(note)
    with late_loading_shown() as report:
        chosen = judge(model.fitted(report), far, prior)
        found = answer(a, b, model, chosen, report)
    if model.card.fitted is None:
        _say(f"{printable(model.name)} has no threshold of its own; one was fitted on its data")
    for remark in found.remarks:
        _say(remark)
    if as_json:
        print(json.dumps(found.as_object(), allow_nan=False))
    elif as_csv:
        shown = printable if sys.stdout.isatty() else str
        csv.writer(sys.stdout, lineterminator="\n").writerows(map(shown, line) for line in found.lines())
    else:
        from reid_tui.console import console_on

        found.print_on(console_on(sys.stdout))
    return found.exit_code


def _say(text: str) -> None:
    print(f"{PROG}: {printable(text, 1000)}", file=sys.stderr)
