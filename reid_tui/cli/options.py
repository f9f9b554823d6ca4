"""The options that commands share, as typer's own types. What a value may be is known to `config`, and said by it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from reid_tui import config
from reid_tui.cli.completion import complete_run
from reid_tui.data.catalog import PREFIXES, SPECS, accepted
from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reid_tui.config import DataOptions, RunOptions, ScreenOptions

DATA: Final = "Data"
TRAINING: Final = "Training"
RUN: Final = "Run"
SCREEN: Final = "Screen"
OUTPUT: Final = "Output"
_Kind = TypeVar("_Kind", "RunOptions", "ScreenOptions", "DataOptions")
_AUTO: Final = "auto"


def expanded(text: str | Path, label: str = "a path") -> str:
    """A path as a person writes it, `~` included; an empty one is no path.

    Raises:
        UsageError: empty, or a home folder that nobody knows.
    """
    if not str(text):
        raise UsageError(f"{label} must not be empty; leave it out, or name a folder")
    try:
        return str(Path(text).expanduser())
    except RuntimeError as error:
        raise UsageError(f"{label} {str(text)!r}: that home folder is not known; write the path out") from error


def named(text: str, label: str = "RUN") -> str:
    """A run as a person names it: latest, a name, or a path, `~` included.

    Raises:
        UsageError: empty, or a home folder that nobody knows.
    """
    if not text:
        raise UsageError(f"{label} must not be empty; name a run's folder, its name, or 'latest'")
    return expanded(text, label) if text.startswith("~") else text


def picked(context: typer.Context, kind: type[_Kind], **more: Any) -> _Kind:  # noqa: ANN401
    """The options of one kind out of what the command line gave; what was not said keeps its default."""
    names = {item.name for item in fields(kind)}
    said = {name: value for name, value in context.params.items() if name in names and value is not None}
    return kind(**{**said, **more})


def was_typed(context: typer.Context, name: str) -> bool:
    """Whether an option stood on the command line; a default or the environment is not typed."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def option(name: str, metavar: str, text: str, panel: str, parser: Callable[[str], Any], **more: Any) -> Any:  # noqa: ANN401
    """An option that is spelled like its setting, and whose value one function reads."""
    return typer.Option(config.flag(name), metavar=metavar, help=text, rich_help_panel=panel, parser=parser, **more)


def number(name: str, metavar: str, text: str, panel: str) -> Any:  # noqa: ANN401
    """One for a setting with a limit in `config.LIMITS`."""
    return option(name, metavar, text, panel, reader(name))


def reader(name: str, label: str | None = None) -> Callable[[str], float]:
    """What reads a number with a limit in `config.LIMITS`."""
    read = config.parse_whole if config.LIMITS[name].whole else config.parse_number
    return lambda value: read(name, value, label)


def choice(name: str, metavar: str, text: str, panel: str, choices: tuple[str, ...]) -> Any:  # noqa: ANN401
    """One for words that are known beforehand."""
    return option(
        name,
        metavar,
        text,
        panel,
        lambda value: config.parse_choice(name, value, choices),
        autocompletion=words(*choices),
    )


def _fps(text: str) -> int | None:
    return None if text == _AUTO else config.parse_whole("fps", text)


def words(*choices: str) -> Callable[[str], list[str]]:
    """A completion for words that are known beforehand."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


SPEC_HELP: Final = f"{', '.join(SPECS)}, a PATH, or one of {', '.join(PREFIXES)} before a path."
DataSpec = Annotated[str, option("data", "SPEC", SPEC_HELP, DATA, accepted, autocompletion=words(*SPECS, *PREFIXES))]
DataDir = Annotated[
    str | None,
    option(
        "data_dir",
        "DIR",
        "Where the data files lie, or are put.",
        DATA,
        lambda text: expanded(text, "--data-dir"),
        envvar="REID_TUI_DATA",
    ),
]
ImageSize = Annotated[
    str | None,
    option(
        "image_size",
        "HxW",
        "To which pictures are brought; default by source, and told.",
        DATA,
        config.parse_image_size,
    ),
]
ImageRoot = Annotated[
    str | None,
    option(
        "image_root",
        "DIR",
        "Where the relative paths of a csv start.",
        DATA,
        lambda text: str(Path(expanded(text, "--image-root")).absolute()),
    ),
]
CameraPattern = Annotated[
    str | None,
    option(
        "camera_pattern",
        "REGEX",
        "Finds the camera in a file's name: its first group.",
        DATA,
        config.parse_camera_pattern,
    ),
]
Holdout = Annotated[
    str | None,
    option(
        "holdout",
        "N",
        "Identities kept out of training: how many, or a share such as 0.2. [0.2 without a split]",
        DATA,
        config.parse_holdout,
    ),
]
Exclude = Annotated[
    str | None,
    option(
        "exclude",
        "FILE",
        "Images to leave out: a csv with a column path, or split and row, as a run's suspects.csv.",
        DATA,
        lambda text: str(Path(expanded(text, "--exclude")).absolute()),
    ),
]
Preset = Annotated[
    config.PresetName | None,
    choice(
        "preset",
        "NAME",
        "tutorial: the course tutorial to the letter; fast: its scores in a tenth of the work; best: higher ones.",
        TRAINING,
        config.PRESETS,
    ),
]
Epochs = Annotated[int | None, number("epochs", "N", "Passes over the training images. [tutorial: 5]", TRAINING)]
Steps = Annotated[int | None, number("steps", "N", "Stop after so many optimiser steps.", TRAINING)]
BatchSize = Annotated[int | None, number("batch_size", "N", "Pairs a step. [tutorial: 64]", TRAINING)]
LearningRate = Annotated[float | None, number("lr", "X", "Adam's learning rate. [tutorial: 0.001]", TRAINING)]
Pairs = Annotated[
    config.Pairing | None,
    choice(
        "pairs",
        "KIND",
        "random: the tutorial's pairs; batch: pairs among P identities with K images each.",
        TRAINING,
        config.PAIRINGS,
    ),
]
Device = Annotated[
    str,
    option(
        "device",
        "NAME",
        "auto, cpu, cuda, cuda:N or mps.",
        TRAINING,
        config.parse_device,
        autocompletion=words(_AUTO, "cpu", "cuda", "cuda:0", "mps"),
    ),
]
Precision = Annotated[
    config.PrecisionName | None,
    choice(
        "precision",
        "NAME",
        "fp32, bf16, bf16-mkldnn (in the CPU's kernels alone), auto: the fastest here that is right. [tutorial: fp32]",
        TRAINING,
        config.PRECISIONS,
    ),
]
Compile = Annotated[
    bool | None,
    typer.Option(
        "--compile",
        help="Try torch's compiler on network and loss, and use it where it is faster.",
        rich_help_panel=TRAINING,
    ),
]
Nproc = Annotated[
    int | None,
    number("nproc", "N", "Processes on this machine that share each step; on CUDA a GPU each. [1]", TRAINING),
]
Seed = Annotated[int | None, number("seed", "N", "Of weights and pairs. [0]", TRAINING)]
EvalEvery = Annotated[
    float | None, number("eval_every", "X", "Epochs between two evaluations. [tutorial: 0.5]", TRAINING)
]
RunsDir = Annotated[
    str,
    option(
        "runs_dir",
        "DIR",
        "Where runs are kept.",
        RUN,
        lambda text: expanded(text, "--runs-dir"),
        envvar="REID_TUI_RUNS",
    ),
]
Name = Annotated[
    str | None,
    option("name", "NAME", "Of the run's folder, behind the time. [the data set]", RUN, config.parse_name),
]
Resume = Annotated[
    str | None,
    option(
        "resume",
        "RUN",
        "Go on with a run: its folder, its name, or latest.",
        RUN,
        lambda text: named(text, "--resume"),
        autocompletion=complete_run,
    ),
]
At = Annotated[
    int | None,
    number("at", "STEP", "With --resume: from the checkpoint of this step; 'runs show RUN' lists them.", RUN),
]
ResumeOrStart = Annotated[
    str | None,
    option(
        "resume_or_start",
        "NAME",
        "Go on with the run of this name, or begin it: for jobs that are queued again.",
        RUN,
        lambda text: config.parse_name(text, "--resume-or-start"),
    ),
]
Replay = Annotated[
    str | None,
    option(
        "replay",
        "RUN",
        "Repeat a run with its changes, and compare the weights.",
        RUN,
        lambda text: named(text, "--replay"),
        autocompletion=complete_run,
    ),
]
RunArgument = typer.Argument(
    parser=named, autocompletion=complete_run, metavar="RUN", help="A run's folder, its name, or latest."
)
ModelArgument = typer.Argument(
    parser=named, autocompletion=complete_run, metavar="RUN", help="A run's folder, its name, latest, or an .onnx file."
)
Far = Annotated[
    float | None,
    number(
        "far", "X", "Use the threshold fitted for this rate of false acceptances, such as 0.01. [equal error]", OUTPUT
    ),
]
Prior = Annotated[
    float, number("prior", "P", "Share of same pairs among those you ask about; shifts the probability.", OUTPUT)
]
Fps = Annotated[
    int | None,
    option(
        "fps",
        "N",
        "Most repaints a second; auto is 4, and 2 over SSH. [auto]",
        SCREEN,
        _fps,
        autocompletion=words(_AUTO),
    ),
]
Glyphs = Annotated[config.GlyphsName, choice("glyphs", "KIND", f"{', '.join(config.GLYPHS)}.", SCREEN, config.GLYPHS)]
Color = Annotated[config.ColorName, choice("color", "KIND", f"{', '.join(config.COLORS)}.", SCREEN, config.COLORS)]
Theme = Annotated[
    str,
    option(
        "theme",
        "NAME",
        "auto, dark, light, or a theme of Textual's, such as nord.",
        SCREEN,
        lambda text: config.parse_choice("theme", text, config.THEMES),
        autocompletion=words(*config.THEMES),
        envvar="REID_TUI_THEME",
    ),
]
OnHangup = Annotated[
    config.HangupName,
    choice(
        "on_hangup",
        "WHAT",
        "When the terminal goes away: continue training, or stop after saving.",
        SCREEN,
        config.HANGUPS,
    ),
]
NoMouse = Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.", rich_help_panel=SCREEN)]
ExitWhenDone = Annotated[
    bool, typer.Option("--exit-when-done", help="Close after the last step.", rich_help_panel=SCREEN)
]
