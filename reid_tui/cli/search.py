"""`reid-tui search`: who is seen on a picture, among those of a gallery."""

import csv
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.trained import Far, Prior, opened, pictures_argument, tell
from reid_tui.config import DataOptions
from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from reid_tui.using.found import Found


def search(
    context: typer.Context,
    run: Annotated[str, opt.RunArgument],
    query: Annotated[str, pictures_argument("QUERY", "A picture, a folder of them, or a SPEC.")],
    gallery: Annotated[str, pictures_argument("GALLERY", "A folder of pictures, labelled or not, or a SPEC.")],
    matches: Annotated[
        int,
        typer.Option("-k", metavar="N", help="Most pictures found.", parser=opt.reader("matches", "-k")),
    ] = 10,
    far: Far = None,
    prior: Prior = 0.5,
    data_dir: opt.DataDir = None,
    image_root: opt.ImageRoot = None,
    camera_pattern: opt.CameraPattern = None,
    runs_dir: opt.RunsDir = "runs",
    device: opt.Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One row a picture found, on stdout.")] = False,
) -> int:
    """Find a picture's nearest ones, and say whether they show the same.

    JSON: run, step, threshold, far (null: equal error), prior, gallery (source, pictures) and queries, each with path,
    identity, camera, left_out (pictures of the gallery that are the query itself), known, and matches: rank, path,
    identity, camera, distance, same, probability. CSV: query, rank, path, identity, camera, distance, same (same or
    different), probability.
    """
