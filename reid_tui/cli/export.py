"""`reid-tui export`: a trained network as a file that others compute with."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.dashboard import PROG
from reid_tui.text import printable


def export(
    run: Annotated[str, opt.RunArgument],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to; it ends in .onnx, .safetensors or .pt2.",
            parser=lambda text: opt.expanded(text, "-o"),
        ),
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    runs_dir: opt.RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Write a run's network into a file.

    It is checked against the run, and carries what is needed to use it: sizes, threshold, names.
    """
    from reid_tui.cli.loading import loading_shown
    from reid_tui.using.export import check_target
    from reid_tui.using.export import export as exported

    check_target(Path(output), force=force)
    with loading_shown() as report:
        found = exported(run, Path(output), Path(runs_dir), force=force, report=report)
    for line in found.note:
        print(f"{PROG}: {printable(line, 1000)}", file=sys.stderr)
    if as_json:
        print(json.dumps({**dataclasses.asdict(found), "path": str(found.path)}, indent=2))
        return 0
    opset = f", opset {found.opset}" if found.opset else ""
    print(
        f"{printable(found.path, 1000)}: {found.size / 1e6:,.1f} MB{opset}, step {found.step} of {printable(found.run)}"
    )
    print(f"differs from the network by at most {found.difference:.1e} on {found.images} images ({found.source})")
    print("carries no threshold" if found.threshold is None else f"carries the threshold {found.threshold:.4g}")
    return 0
