"""`reid-tui search`: who is seen on a picture, among those of a gallery."""

import sys
from typing import Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.trained import about, opened, pictures_argument, print_object, print_rows, tell
from reid_tui.config import DataOptions
from reid_tui.errors import UsageError


def search(
    context: typer.Context,
    run: Annotated[str, opt.ModelArgument],
    query: Annotated[str, pictures_argument("QUERY", "A picture, a folder of them, or a SPEC.")],
    gallery: Annotated[str, pictures_argument("GALLERY", "A folder of pictures, labelled or not, or a SPEC.")],
    matches: Annotated[
        int,
        typer.Option(
            "-k",
            metavar="N",
            help="Most that are found for each.",
            parser=opt.reader("matches", "-k"),
            rich_help_panel=opt.OUTPUT,
        ),
    ] = 10,
    far: opt.Far = None,
    prior: opt.Prior = 0.5,
    data_dir: opt.DataDir = None,
    image_root: opt.ImageRoot = None,
    camera_pattern: opt.CameraPattern = None,
    device: opt.Device = "auto",
    runs_dir: opt.RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A line for each picture found on stdout.")] = False,
) -> int:
    """Look for a picture in a gallery.

    Its nearest ones, and whether they are near enough to show the same. Of a data set the test images are looked
    through, of a source with a split its gallery. What is computed of a folder is kept in your cache folder, until
    'reid-tui data SPEC --forget'.

    JSON: run, step, threshold, far (null for the equal error), prior, gallery (source, pictures), and queries; each has
    path, identity, camera, left_out (pictures of the gallery with its very pixels), known, and matches with rank, path,
    identity, camera, distance, same, probability. CSV: query, rank, path, identity, camera, distance, same (same or
    different), probability.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv do not go together; leave one out")
    from reid_tui.cli.loading import loading_shown
    from reid_tui.console import console_on
    from reid_tui.using.comparing import judge
    from reid_tui.using.searching import look

    asked = opt.picked(context, DataOptions, data=query, image_root=None, camera_pattern=None)
    with loading_shown() as report:
        model = opened(run, runs_dir, device, report)
        chosen = judge(model.fitted(report), far, prior)
        found = look(model, chosen, asked, opt.picked(context, DataOptions, data=gallery), matches, report)
    tell((*about(model), *found.notes))
    if as_json:
        print_object(found.as_object())
    elif as_csv:
        print_rows(found.rows())
    else:
        from reid_tui.using.search_report import print_on

        print_on(console_on(sys.stdout), found)
    return 0
