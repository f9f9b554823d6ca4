"""`reid-tui cluster`: unlabelled pictures into likely identities."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.trained import Force, about, opened, out_option, pictures_argument, print_object, tell
from reid_tui.config import GROUPINGS, DataOptions, GroupingName

_METHODS_HELP = "average: by the mean distance of groups; dbscan: by steps from picture to picture, also of very many."
_Far = Annotated[
    float | None,
    opt.number(
        "far",
        "X",
        "Use the threshold fitted for this rate of false acceptances. [average: 0.01; dbscan: the lowest]",
        opt.OUTPUT,
    ),
]


def cluster(
    context: typer.Context,
    run: Annotated[str, opt.ModelArgument],
    folder: Annotated[str, pictures_argument("FOLDER", "A folder of pictures, or a data set; labels are not used.")],
    out: Annotated[str | None, out_option("A .csv with the columns path and identity, as csv: reads it.")] = None,
    force: Force = False,
    method: Annotated[GroupingName, opt.choice("method", "NAME", _METHODS_HELP, opt.OUTPUT, GROUPINGS)] = "average",
    far: _Far = None,
    data_dir: opt.DataDir = None,
    device: opt.Device = "auto",
    runs_dir: opt.RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Group pictures into likely identities.

    By a threshold of the run's: among many pictures most pairs are different, so a low rate of false acceptances, if
    one was fitted, groups better than the equal error.

    JSON: run, step, threshold, far (null for the equal error), method, source, pictures, and
    groups with identity, size, spread (root mean square of the distances within) and pictures, the most typical first.
    """
    from reid_tui.cli.loading import loading_shown
    from reid_tui.console import console_on
    from reid_tui.using.clustering import clustered, default_far
    from reid_tui.using.comparing import judge
    from reid_tui.using.gallery import open_gallery
    from reid_tui.using.grouping import Groups, print_on
    from reid_tui.using.output import check_new

    if out is not None:
        check_new([Path(out)], [".csv"], force=force)
    with loading_shown() as report:
        model = opened(run, runs_dir, device, report)
        fitted = model.fitted(report)
        chosen = judge(fitted, default_far(fitted, method) if far is None else far)
        options = opt.picked(context, DataOptions, data=folder)
        gallery = open_gallery(model, options, report, label="FOLDER", labelled=False)
        groups = clustered(gallery.embeddings_ND, chosen.point.threshold, method, report)
    found = Groups(model, chosen, method, gallery, groups)
    tell((*about(model), *gallery.notes))
    try:
        if out is not None:
            tell(found.write(Path(out)))
    finally:  # a full disk does not cost what was computed
        if as_json:
            print_object(found.as_object())
        else:
            print_on(console_on(sys.stdout), found)
    return 0
