"""`reid-tui` without a command: the dashboard on a new run, or on one that goes on."""

import os
from typing import Annotated

import typer

from reid_tui import __version__
from reid_tui.cli import learning_options as learn
from reid_tui.cli import options as opt
from reid_tui.cli.debug import DEBUG
from reid_tui.config import RunOptions, ScreenOptions, check_one_beginning
from reid_tui.config.ranks import check_together, rank_of
from reid_tui.errors import UsageError
from reid_tui.signals import let_go
from reid_tui.tui.terminal.look import check_terminal, decide_fps

PROG = "reid-tui"


def print_version(wanted: bool) -> None:
    """For `--version`."""
    if wanted:
        print(f"{PROG} {__version__}")
        raise typer.Exit


def dashboard(
    context: typer.Context,
    data: opt.DataSpec = "auto",
    data_dir: opt.DataDir = None,
    image_size: opt.ImageSize = None,
    image_root: opt.ImageRoot = None,
    camera_pattern: opt.CameraPattern = None,
    holdout: opt.Holdout = None,
    exclude: opt.Exclude = None,
    rotations: learn.Rotations = None,
    loss: learn.Loss = None,
    margin: learn.Margin = None,
    miner: learn.Miner = None,
    model: learn.Model = None,
    embedding_dim: learn.EmbeddingDim = None,
    normalize: learn.Normalize = None,
    bnneck: learn.BNNeck = None,
    pretrained: learn.Pretrained = None,
    init: learn.Init = None,
    preset: opt.Preset = None,
    epochs: opt.Epochs = None,
    steps: opt.Steps = None,
    batch_size: opt.BatchSize = None,
    lr: opt.LearningRate = None,
    schedule: learn.Schedule = None,
    optimizer: learn.Optimizer = None,
    weight_decay: learn.WeightDecay = None,
    average_weights: learn.AverageWeights = None,
    pairs: opt.Pairs = None,
    images_per_identity: learn.ImagesPerIdentity = None,
    augment: learn.Augment = None,
    device: opt.Device = "auto",
    precision: opt.Precision = None,
    compile: opt.Compile = None,  # noqa: A002  typer names the option after it
    nproc: opt.Nproc = None,
    seed: opt.Seed = None,
    eval_every: opt.EvalEvery = None,
    name: opt.Name = None,
    resume: opt.Resume = None,
    at: opt.At = None,
    resume_or_start: opt.ResumeOrStart = None,
    runs_dir: opt.RunsDir = "runs",
    fps: opt.Fps = None,
    glyphs: opt.Glyphs = "auto",
    color: opt.Color = "auto",
    theme: opt.Theme = "auto",
    on_hangup: opt.OnHangup = "continue",
    no_mouse: opt.NoMouse = False,
    exit_when_done: opt.ExitWhenDone = False,
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error.")] = False,
) -> int:
    """Train a Siamese network with the contrastive loss, and watch and steer it here.

    Without a command the dashboard opens on a new run.
    """
    if context.invoked_subcommand is not None:
        refuse_typed_before(context, context.invoked_subcommand)
        if context.invoked_subcommand not in ("train", "attach"):
            let_go()
        return 0
    asked, screen = opt.picked(context, RunOptions), screen_options(context)
    check_one_beginning(asked)
    check_one_screen(asked)
    from reid_tui.launch import Tether, tethered

    check_terminal(os.environ)

    def show(tether: Tether) -> int:
        from reid_tui.tui.app import run_dashboard

        return run_dashboard(asked, screen, tether)

    return tethered(show)


def check_one_screen(options: RunOptions) -> None:
    """Refuse several processes that cannot share a step, or would each open a screen.

    Raises:
        UsageError: they would.
    """
    rank = rank_of(os.environ)
    if rank is not None:
        raise UsageError("torchrun starts 'reid-tui train', to be watched by 'attach'; the dashboard takes --nproc N")
    check_together(options, rank)


def screen_options(context: typer.Context) -> ScreenOptions:
    """Those of the command line; what is left open is settled by the environment."""
    fps, mouse = decide_fps(context.params["fps"], os.environ), not context.params["no_mouse"]
    return opt.picked(context, ScreenOptions, fps=fps, mouse=mouse)


def refuse_typed_before(context: typer.Context, command: str) -> None:
    """Options of a group itself do nothing for a command that follows.

    Raises:
        UsageError: there is one.
    """
    for param in context.command.params:
        if param.name and opt.was_typed(context, param.name):
            raise UsageError(f"{param.opts[0]} stands before {command!r}; put options behind the command")
