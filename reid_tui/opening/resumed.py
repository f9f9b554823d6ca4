"""A run that goes on: finding and locking it, the checkpoint it goes on from, and what may change meanwhile."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reid_tui.errors import RunError, advice
from reid_tui.files import read_regular
from reid_tui.opening.beside import uncollected
from reid_tui.opening.excluded import with_copy
from reid_tui.opening.loading import NothingLeft
from reid_tui.opening.new import on_device
from reid_tui.opening.opening import Opening
from reid_tui.opening.same import check_same_data, check_same_run, same_data
from reid_tui.runs.directory import RunDirectory, locate_run, tidy
from reid_tui.runs.follow import EventFollower
from reid_tui.runs.lock import RunLock
from reid_tui.runs.log_end import read_end
from reid_tui.runs.snapshots import NewestPictures
from reid_tui.runs.start import started
from reid_tui.training import commands as cmd
from reid_tui.training.channels import Order
from reid_tui.training.event_json import from_json
from reid_tui.training.events import Finished, Listener, PhaseChanged, ends_run
from reid_tui.training.manifest import LARGEST_MANIFEST, checked_config
from reid_tui.training.saved import rewinds_from

if TYPE_CHECKING:
    import contextlib

    from reid_tui.config import RunConfig, RunOptions
    from reid_tui.opening.loading import Loading
    from reid_tui.training.checkpoint import Manifest

CHANGEABLE: Final = frozenset({"epochs", "steps", "eval_every"})
"""What a resumed run may do otherwise without being another run."""
TURNABLE: Final = frozenset({"margin", "lr"})
"""What may be turned at any step, and so on a resume too."""


def resumed(options: RunOptions, loading: Loading) -> Opening:
    """Go on with a run, which is locked before anything in it is touched.

    Raises:
        NothingLeft: it is finished, and whoever asks is content with that.
        ReidTuiError: there is no such run, another process has it, or it does not fit the options.
    """
    run, lock = _taken(options, loading.resources)
    loading.start_torch(options)
    with loading.timed("torch"), uncollected():
        from reid_tui.data import catalog
        from reid_tui.training.checkpoint import load_latest, load_step
        from reid_tui.training.device import pick_device

    device = pick_device(options.device)
    loading.report("looking for the data")
    if options.at is None:
        checkpoint, passed_over = load_latest(run.checkpoints)
    else:
        checkpoint, passed_over = load_step(run.checkpoints, options.at), []
    manifest = checkpoint.manifest
    check_same_run(options, manifest.config, "to resume", CHANGEABLE | TURNABLE)
    if options.name is not None:
        raise RunError("--name is for a new run; a resumed one keeps its name")
    with loading.timed("data"):
        opened = same_data(with_copy(options, run), manifest.config)
        dataset = catalog.load(opened, loading.report)
    check_same_data(manifest, dataset)
    config = on_device(_continued(options, run, manifest, len(dataset.train)), device)
    config = dataclasses.replace(
        config,
        data=dataset.spec or config.data,
        image_root=options.image_root or config.image_root,
        exclude=opened.exclude,
    )
    loading.stop_if_told()
    if loading.past is not None:
        _tell_past(run, loading.past)
    # What was told of the past left the listener in the middle of a run that is not going yet.
    loading.emit(PhaseChanged(step=manifest.state.step, phase="loading", detail="taking up the run"))
    return Opening(
        config=config,
        dataset=dataset,
        device=device,
        run=run,
        lock=lock,
        started=started(run),
        asked=options.given(),
        checkpoint=checkpoint,
        rewinds=rewinds_from(run.checkpoints, manifest.state.step),
        orders=tuple(_turned(options, manifest)),
        passed_over=tuple(passed_over),
        tells_refusal=False,
    )


def _taken(options: RunOptions, resources: contextlib.ExitStack) -> tuple[RunDirectory, RunLock]:
    run = RunDirectory(locate_run(options.resume or "", Path(options.runs_dir)))
    lock = RunLock(run.lock)
    resources.callback(lock.release)
    try:
        tidy(run)
    except OSError as error:
        raise RunError(f"cannot write to the run {str(run.path)!r}: {advice(error, '')}") from error
    return run, lock


def _continued(options: RunOptions, run: RunDirectory, manifest: Manifest, images: int) -> RunConfig:
    """The run's own config with what may change; refused where it would end before it goes on."""
    changes = {name: value for name, value in options.given().items() if name in CHANGEABLE}
    config = dataclasses.replace(manifest.config, **{**_changed_before(run), **changes})
    if "epochs" in changes and "steps" not in changes:
        config = dataclasses.replace(config, steps=None)
    from reid_tui.data.pairs import steps_per_epoch
    from reid_tui.training.course import total_steps

    step, total = manifest.state.step, total_steps(config, images)
    if step < total:
        return config
    finished = _finished(run)
    if step == total and finished is None:
        return config  # its last evaluation is still to come
    per_epoch = steps_per_epoch(images, config.batch_size)
    more = f"--epochs above {step // per_epoch}" if config.epochs * per_epoch <= step else f"--steps above {step}"
    where = "is finished at" if finished else "has come to"
    message = f"the run {run.name!r} {where} step {step}; give {more} to train it longer"
    if finished is not None and options.resume_or_start is not None:
        raise NothingLeft(dataclasses.replace(finished, note=message))
    raise RunError(message)


def _changed_before(run: RunDirectory) -> dict[str, Any]:
    """What the last resume changed; the checkpoint may be from before it."""
    try:
        last = checked_config(json.loads(read_regular(run.config, LARGEST_MANIFEST))["config"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {name: getattr(last, name) for name in CHANGEABLE}


def _finished(run: RunDirectory) -> Finished | None:
    """The end of a run that came to its last step."""
    end = read_end(run.events)
    try:
        event = from_json(end.marked) if end.mark == "finished" else None
    except ValueError:  # a damaged line
        return None
    return event if isinstance(event, Finished) else None


def _turned(options: RunOptions, manifest: Manifest) -> list[Order]:
    """Margin and learning rate given on a resume are commands like any other, where they say something new.

    A job that is queued again repeats what it began with; what was turned meanwhile stays.
    """
    began = manifest.config if options.resume_or_start is not None else None
    orders = []
    if options.margin is not None and options.margin not in (manifest.state.margin, began and began.margin):
        orders.append(Order(cmd.SetMargin(options.margin), "--margin"))
    if options.lr is not None and options.lr not in (manifest.state.lr, began and began.lr):
        orders.append(Order(cmd.SetLearningRate(options.lr), "--lr"))
    return orders


def _tell_past(run: RunDirectory, listener: Listener) -> None:
    """Hand earlier events on, but for the ends of earlier parts; of the pictures the newest that still count."""
    follower, pictures = EventFollower(run.events), NewestPictures()
    while (events := follower.read()) is not None:
        for event in events:
            if not pictures.take(event) and not ends_run(event):
                listener(event)
    follower.close()
    for picture in pictures.newest(run.path):
        listener(picture)
