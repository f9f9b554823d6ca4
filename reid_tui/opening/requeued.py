"""A run that goes on where there is one by that name, and else begins: for jobs that are put into a queue again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from reid_tui.opening.new import new
from reid_tui.opening.place import newest_to_go_on
from reid_tui.opening.resumed import resumed

if TYPE_CHECKING:
    from reid_tui.config import RunOptions
    from reid_tui.opening.loading import Loading
    from reid_tui.opening.opening import Opening


def requeued(options: RunOptions, name: str, loading: Loading) -> Opening:
    """Go on with the newest run by a name that has a checkpoint; begin one where there is none.

    Raises:
        NothingLeft: it is finished, and the options do not make it longer.
        ReidTuiError: as where it goes on, or as where it begins.
    """
    run = newest_to_go_on(name, Path(options.runs_dir))
    if run is None:
        return new(dataclasses.replace(options, name=name), loading)
    return resumed(dataclasses.replace(options, resume=str(run)), loading)
