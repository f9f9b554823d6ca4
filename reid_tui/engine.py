"""From options to a trained run: what the dashboard and the headless command share.

Loads the data, makes or reopens the run directory, puts the trainer together and writes the log. Imports torch inside
functions, so that importing this module costs nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.control.server import ControlServer
from reid_tui.errors import CheckpointError, ReidTuiError, RunError, cause
from reid_tui.resume import Resumed, check_same_data, check_same_run, continued, reopen, replay_past, take_again
from reid_tui.runs.directory import RunDirectory, create_run, discard_empty
from reid_tui.runs.lock import RunLock
from reid_tui.runs.log import EventLog
from reid_tui.runs.log_end import LogEnd, read_end
from reid_tui.runs.recorder import Recorder
from reid_tui.runs.run_log import MessageFile
from reid_tui.training import commands as cmd
from reid_tui.training.events import (
    AnyEvent,
    Failed,
    Listener,
    PhaseChanged,
    Rewound,
    Stopped,
    Warned,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.data.dataset import Dataset
    from reid_tui.runs.replay import Replay
    from reid_tui.training.channels import CommandBox
    from reid_tui.training.steering import Script
    from reid_tui.training.trainer import Trainer

LOGGER = logging.getLogger("reid_tui")
LOGGER.addHandler(logging.NullHandler())


class StopLoading(BaseException):
    """Told to stop before training began. Also raised out of a signal handler: no `except Exception` may swallow it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def run_training(
    options: RunOptions,
    listener: Listener,
    inbox: CommandBox,
    *,
    steerable: bool,
    past: Listener | None = None,
    again: Replay | None = None,
) -> AnyEvent:
    """Train in this thread until the run ends, however it ends.

    Args:
        options: what the person asked for.
        listener: gets every event, in this thread; it must not raise.
        inbox: commands, read between two steps and while loading.
        steerable: whether somebody watches who can go on after a divergence.
        past: on a resume, gets the run's earlier events before anything new is told.
        again: a run that the new one repeats.

    Returns:
        The last event: Finished, Stopped, Diverged or Failed. No expected error is raised.
    """
    recorder = Recorder(listener)
    with contextlib.ExitStack() as resources:
        resources.callback(recorder.close)
        end: AnyEvent
        try:
            return _run(options, recorder, past, again, inbox, resources, steerable=steerable)
        except StopLoading as stop:
            end = Stopped(step=recorder.step, reason=stop.reason, saved=False)
        except ReidTuiError as error:
            end = Failed(step=recorder.step, message=str(error), exit_code=error.exit_code)
        except Exception as error:
            LOGGER.exception("training failed")
            end = Failed(step=recorder.step, message=cause(error))
        recorder(end)
        return end


def _run(
    options: RunOptions,
    recorder: Recorder,
    past: Listener | None,
    again: Replay | None,
    inbox: CommandBox,
    resources: contextlib.ExitStack,
    *,
    steerable: bool,
) -> AnyEvent:
    def report(detail: str) -> None:
        _stop_if_told(inbox)
        recorder(PhaseChanged(step=0, phase="loading", detail=detail))

    earlier = take_again(options, resources) if options.resume else None
    recorder(PhaseChanged(step=0, phase="importing", detail="starting torch"))
    import torch

    from reid_tui.data import catalog
    from reid_tui.data.pairs import steps_per_epoch
    from reid_tui.training.device import pick_device, pick_precision

    device = pick_device("cpu" if again and options.device == "auto" else options.device)
    report("looking for the data")
    resumed = reopen(*earlier) if earlier else None
    if resumed:
        check_same_run(options, resumed.checkpoint.manifest.config)
    if again:
        again.open()
        check_same_run(options, again.manifest.config, "to replay", changeable=frozenset())
        resources.callback(torch.set_num_threads, again.use_recorded_threads())
    manifest = resumed.checkpoint.manifest if resumed else again.manifest if again else None
    spec = manifest.config.data if manifest else options.data
    dataset = catalog.load(spec, options.data_dir, report)
    if manifest:
        check_same_data(manifest, dataset)
    if resumed:
        config = continued(options, resumed, dataset)
    elif again:
        config = again.config(steps_per_epoch(len(dataset.train), again.manifest.config.batch_size))
    else:
        config = resolve(options, dataset.name, len(dataset.train_identity_names))
    config = dataclasses.replace(config, precision=pick_precision(config.precision, device))
    _stop_if_told(inbox)

    if resumed:
        run, lock = resumed.run, resumed.lock
    else:
        run = create_run(Path(options.runs_dir), options.name or (again.name if again else dataset.name))
        resources.callback(discard_empty, run)
        lock = RunLock(run.lock)
        resources.callback(lock.release)
    resources.enter_context(_log_file(run.log))
    asked = options.given() | ({"replay": str(again.path)} if again else {})

    def write_down() -> LogEnd:
        log = _open_log(run)  # first: what a crash left behind the last whole line hides it
        last = read_end(run.events) if resumed else LogEnd()
        try:
            _write_config(run, config, dataset, asked, str(device))
        except RunError:  # without a config it is no run, and its log stays empty
            log.close()
            raise
        recorder.keep(log, last.seq or 0, last.step or 0)
        return last

    if resumed and past is not None:
        replay_past(run, past)
    if resumed:
        # What was replayed left the listener in the middle of a run that is not going yet.
        recorder(PhaseChanged(step=resumed.checkpoint.manifest.state.step, phase="loading", detail="taking up the run"))
    script = again.script if again else None
    try:
        trainer = _build(
            config, dataset, run, recorder, inbox, script, device=str(device), resumed=resumed, steerable=steerable
        )
    except Exception:
        if not resumed:  # a network that fits no memory leaves a run that says so; a refused resume changes nothing
            write_down()
        raise
    last = write_down()
    for line in resumed.passed_over if resumed else again.passed_over if again else ():
        message = f"a damaged checkpoint was passed over: {line}"
        recorder(Warned(step=trainer.step, code="checkpoint_rejected", message=message))
    if resumed:
        if last.step is not None and last.step > trainer.step:
            recorder(Rewound(step=trainer.step, from_step=last.step))
        _say_first(inbox, options)
    if reason := _listen(run, lock, inbox, resources):
        recorder(Warned(step=trainer.step, code="control_failed", message=reason))
    LOGGER.info("%s: %s, %s", run.name, dataset.source, config.to_json())
    try:
        return trainer.run(str(run.path))
    except Exception as error:  # the log must say how the run ended
        LOGGER.exception("training failed at step %d", trainer.step)
        return _failed(recorder, run, trainer.step, error)


def _listen(run: RunDirectory, lock: RunLock, inbox: CommandBox, resources: contextlib.ExitStack) -> str:
    """Let other processes steer the run; returns why they cannot, or nothing."""
    try:
        server = ControlServer(run, inbox.put)
        resources.callback(server.close)
        lock.tell(server.path)
    except RunError as error:
        return str(error)
    except OSError as error:
        return f"no control socket: {error.strerror or error}"
    return ""


def _failed(recorder: Recorder, run: RunDirectory, step: int, error: Exception) -> Failed:
    from reid_tui.training.checkpoint import manifests

    found = manifests(run.checkpoints)
    where = f"the last checkpoint is {found[0].stem}" if found else "there is no checkpoint yet"
    end = Failed(step=step, message=f"{cause(error)}; {where}, details are in {run.log}")
    recorder(end)
    return end


def _build(
    config: RunConfig,
    dataset: Dataset,
    run: RunDirectory,
    recorder: Recorder,
    inbox: CommandBox,
    script: Script | None,
    *,
    device: str,
    resumed: Resumed | None,
    steerable: bool,
) -> Trainer:
    import torch

    from reid_tui.training.keeper import Keeper
    from reid_tui.training.learner import Learner
    from reid_tui.training.scoring import Scorer
    from reid_tui.training.trainer import Trainer

    learner = Learner(config, dataset.train, torch.device(device))
    scorer = Scorer(dataset, config, torch.device(device))
    keeper = Keeper(run.checkpoints, run.embeddings, config, dataset.fingerprint)
    trainer = Trainer(config, dataset, learner, scorer, keeper, recorder, inbox, steerable=steerable, script=script)
    if resumed:
        manifest, tensors = resumed.checkpoint.manifest, resumed.checkpoint.tensors
        try:
            learner.restore(tensors)
            scorer.restore(tensors)
        except CheckpointError as error:
            raise CheckpointError(f"{manifest.file}: {error}") from error
        trainer.restore(manifest.state)
    return trainer


def _say_first(inbox: CommandBox, options: RunOptions) -> None:
    """Margin and learning rate given on a resume are commands like any other."""
    if options.margin is not None:
        inbox.put(cmd.SetMargin(options.margin), "--margin")
    if options.lr is not None:
        inbox.put(cmd.SetLearningRate(options.lr), "--lr")


def _stop_if_told(inbox: CommandBox) -> None:
    """Look through what waits for a Stop; everything else keeps its place."""
    waiting = []
    while (order := inbox.get_nowait()) is not None:
        if isinstance(order.command, cmd.Stop):
            raise StopLoading(order.command.reason)
        waiting.append(order)
    for order in waiting:
        inbox.put(*order)


def _open_log(run: RunDirectory) -> EventLog:
    try:
        return EventLog(run.events)
    except OSError as error:
        raise RunError(f"cannot write the log {str(run.events)!r}: {error.strerror}") from error


def _write_config(run: RunDirectory, config: RunConfig, dataset: Dataset, asked: dict[str, Any], device: str) -> None:
    from reid_tui.training.checkpoint import versions

    content = {
        "schema": 1,
        "run": run.name,
        "config": config.to_json(),
        "asked": asked,
        "device": device,
        "dataset": {
            "name": dataset.name,
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "train_images": len(dataset.train),
            "test_images": len(dataset.test),
            "image_shape": list(dataset.train.images.shape[1:]),
            "identities": len(dataset.train_identity_names),
            "unseen": dataset.unseen,
        },
        "versions": versions(),
    }
    try:
        run.write_config(content)
    except OSError as error:
        raise RunError(f"cannot write {str(run.config)!r}: {error.strerror}") from error


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Send this package's log messages to the run's own file."""
    try:
        handler = MessageFile(path)
    except OSError as error:
        raise RunError(f"cannot write the log {str(path)!r}: {error.strerror}") from error
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        handler.close()
