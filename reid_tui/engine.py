"""From options to a trained run, in one straight way: open, build, listen, train, end.

What the dashboard and the headless command share. Imports torch inside functions, so that importing this module costs
nothing.
"""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reid_tui.control.server import ControlServer
from reid_tui.cores import Cores
from reid_tui.data.findings import sentence
from reid_tui.errors import CheckpointError, ReidTuiError, RunError, UsageError, cause
from reid_tui.opening.home import Home
from reid_tui.opening.loading import Loading, NothingLeft, StopLoading
from reid_tui.opening.new import new
from reid_tui.opening.processes import Processes
from reid_tui.opening.record import begin_record, messages_kept
from reid_tui.opening.repeated import repeated
from reid_tui.opening.requeued import requeued
from reid_tui.opening.resumed import resumed
from reid_tui.runs.recorder import Recorder
from reid_tui.training.events import AnyEvent, EpochEnded, Failed, Listener, Stopped, Warned

if TYPE_CHECKING:
    from reid_tui.config import RunOptions
    from reid_tui.opening.opening import Opening
    from reid_tui.runs.replay import Replay
    from reid_tui.training.channels import CommandBox
    from reid_tui.training.together.group import Group
    from reid_tui.training.trainer import Trainer

LOGGER = logging.getLogger("reid_tui")
LOGGER.addHandler(logging.NullHandler())


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
        return _run(options, again, Loading(recorder, inbox, resources, past), recorder, steerable=steerable)


def _run(
    options: RunOptions, again: Replay | None, loading: Loading, recorder: Recorder, *, steerable: bool
) -> AnyEvent:
    """Open, build, listen, train, end."""
    try:
        processes = Processes.start(options)
        if processes is not None:
            loading.resources.callback(processes.close)
        opening = _open(options, again, loading)
        loading.resources.enter_context(messages_kept(opening.run.log))
        listen = partial(_listen, opening, recorder, loading.inbox, loading.resources)
        group = None if processes is None else processes.join(opening, loading)
        home = Home(opening, recorder, listen)
        with loading.timed("network"):
            trainer = _begin(opening, home, recorder, loading.inbox, group, steerable=steerable)
        listen()
        LOGGER.info(loading.parts)
        return _train(trainer, opening, recorder)
    except (StopLoading, Exception) as error:
        end = _never_begun(error, recorder.step)
    recorder(end)
    return end


def _open(options: RunOptions, again: Replay | None, loading: Loading) -> Opening:
    if again is not None:
        return repeated(options, again, loading)
    if options.resume_or_start is not None:
        return requeued(options, options.resume_or_start, loading)
    return new(options, loading) if options.resume is None else resumed(options, loading)


def _begin(
    opening: Opening, home: Home, recorder: Recorder, inbox: CommandBox, group: Group | None, *, steerable: bool
) -> Trainer:
    """Build the trainer, write down what it begins with, and tell what must be told of it."""
    try:
        trainer = _build(opening, home, recorder, inbox, group, steerable=steerable)
    except Exception as error:
        if opening.tells_refusal and not isinstance(error, UsageError):  # settings that cannot be begin no run
            begin_record(opening, recorder)
        raise
    last = begin_record(opening, recorder)
    if opening.checkpoint is None:
        for finding in filter(lambda finding: finding.grave, opening.dataset.findings):
            recorder(Warned(step=trainer.step, code=f"data_{finding.code}", message=sentence(finding)))
    for line in opening.passed_over:
        message = f"a checkpoint was passed over: {line}"
        recorder(Warned(step=trainer.step, code="checkpoint_rejected", message=message))
    if last.step is not None and last.step > trainer.step:
        recorder(trainer.rewound(last.step))
    for order in opening.orders:
        inbox.put(*order)
    return trainer


def _build(
    opening: Opening, home: Home, emit: Listener, inbox: CommandBox, group: Group | None, *, steerable: bool
) -> Trainer:
    from reid_tui.training.keeper import Keeper
    from reid_tui.training.learner import Learner
    from reid_tui.training.scoring import Scorer
    from reid_tui.training.trainer import Trainer

    config, dataset, run = opening.config, opening.dataset, opening.run
    restored = opening.checkpoint is not None
    learner = Learner(config, dataset.train, opening.device, opening.start, restored=restored, group=group)
    scorer = Scorer(dataset, config, opening.device, group)
    if group is not None:
        group.lead(inbox)
    keeper = Keeper(run.checkpoints, run.embeddings, config, dataset.fingerprint, home)
    told = _aware_of_others(emit) if learner.device.type == "cpu" else emit
    trainer = Trainer(config, dataset, learner, scorer, keeper, told, inbox, steerable=steerable, script=opening.script)
    if opening.checkpoint is not None:
        manifest = opening.checkpoint.manifest
        try:
            trainer.restore(manifest.state, opening.checkpoint.tensors, opening.rewinds, manifest.card)
        except CheckpointError as error:
            raise CheckpointError(f"{manifest.file}: {error}") from error
    return trainer


def _aware_of_others(emit: Listener) -> Listener:
    """The same, and the log says where other processes take the cores away, in the epochs that they do."""
    from torch import get_num_threads

    cores = Cores()

    def told(event: AnyEvent) -> None:
        emit(event)
        if not isinstance(event, EpochEnded) or (shared := cores.shared()) is None:
            return
        if short := shared.short_of(get_num_threads()):
            LOGGER.warning("epoch %d: %s", event.epoch, short)

    return told


def _listen(opening: Opening, recorder: Recorder, inbox: CommandBox, resources: contextlib.ExitStack) -> None:
    """Let other processes steer the run; where they cannot, the run says why and goes on."""
    reason = ""
    try:
        server = ControlServer(opening.run, inbox.put)
        resources.callback(server.close)
        opening.lock.tell(server.path)
    except RunError as error:
        reason = str(error)
    except OSError as error:
        reason = f"no control socket: {error.strerror or error}"
    if reason:
        recorder(Warned(step=recorder.step, code="control_failed", message=reason))


def _never_begun(error: StopLoading | Exception, step: int) -> AnyEvent:
    """How it ends where no step was taken; call it while the error is handled."""
    match error:
        case StopLoading():
            return Stopped(step=step, reason=error.reason, saved=False)
        case NothingLeft():
            return error.end
        case ReidTuiError():
            return Failed(step=step, message=str(error), exit_code=error.exit_code)
    LOGGER.exception("training failed")
    return Failed(step=step, message=cause(error))


def _train(trainer: Trainer, opening: Opening, recorder: Recorder) -> AnyEvent:
    """To the run's end; the log says how it ended, whatever happens."""
    run = opening.run
    LOGGER.info("%s: %s, %s", run.name, opening.dataset.source, opening.config.to_json())
    try:
        return trainer.run(str(run.path))
    except Exception as error:
        LOGGER.exception("training failed at step %d", trainer.step)
        from reid_tui.training.saved import good

        newest = next((Path(manifest.file).stem for manifest in good(run.checkpoints)), "")
        where = f"the last checkpoint is {newest}" if newest else "there is no good checkpoint"
        end = Failed(step=trainer.step, message=f"{cause(error)}; {where}, details are in {run.log}")
        recorder(end)
        return end
