"""What a run puts on disk before its first step: config.json, and a log that goes on where it ended."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from reid_tui.errors import RunError, advice
from reid_tui.runs.log import EventLog
from reid_tui.runs.log_end import LogEnd, read_end
from reid_tui.runs.run_log import MessageFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reid_tui.opening.opening import Opening
    from reid_tui.runs.recorder import Recorder

LOGGER = logging.getLogger("reid_tui")


def begin_record(opening: Opening, recorder: Recorder) -> LogEnd:
    """Write config.json and open the log.

    Returns:
        Where the log ended before.

    Raises:
        RunError: the disk does not take it; without a config it is no run, and its log stays as it was.
    """
    run = opening.run
    try:
        log = EventLog(run.events)  # first: what a crash left behind the last whole line hides it
    except OSError as error:
        raise RunError(f"cannot write the log {str(run.events)!r}: {advice(error, '')}") from error
    last = read_end(run.events)
    try:
        run.write_config(config_content(opening))
    except OSError as error:
        log.close()
        raise RunError(f"cannot write {str(run.config)!r}: {advice(error, '')}") from error
    recorder.keep(log, last.seq or 0, last.step or 0)
    return last


@contextlib.contextmanager
def messages_kept(path: Path) -> Iterator[None]:
    """Send this package's log messages to the run's own file.

    Raises:
        RunError: it cannot be written.
    """
    try:
        handler = MessageFile(path)
    except OSError as error:
        raise RunError(f"cannot write the log {str(path)!r}: {advice(error, '')}") from error
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        handler.close()


def config_content(opening: Opening) -> dict[str, Any]:
    """What config.json says of a run."""
    from reid_tui.training.card import carried
    from reid_tui.training.checkpoint import versions

    dataset = opening.dataset
    return {
        "schema": 1,
        "run": opening.run.name,
        "started": opening.started,
        "config": opening.config.to_json(),
        "asked": opening.asked,
        "device": str(opening.device),
        "dataset": {
            "name": dataset.name,
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "train_images": len(dataset.train),
            "test_images": len(dataset.test),
            "image_shape": list(dataset.train.shape),
            "identities": len(dataset.train_identity_names),
            "unseen": dataset.unseen,
            "held_out": list(carried(dataset.held_out)),
            "held_out_identities": len(dataset.held_out),
            "validating": list(carried(dataset.validating)),
            "validating_identities": len(dataset.validating),
        },
        "versions": versions(),
    }
