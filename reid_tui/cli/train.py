"""`reid-tui train`: without a screen."""

import os
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from reid_tui.cli import learning_options as learn
from reid_tui.cli import options as opt
from reid_tui.config import RunOptions, check_one_beginning
from reid_tui.config.ranks import check_together, rank_of

ProgressKind = Literal["auto", "bar", "plain", "none"]


def train(
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
    replay: opt.Replay = None,
    runs_dir: opt.RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="Events on stdout, one JSON object a line.")] = False,
    progress: Annotated[
        ProgressKind,
        opt.choice("progress", "KIND", "auto, bar, plain or none; on stderr.", opt.OUTPUT, get_args(ProgressKind)),
    ] = "auto",
) -> int:
    """Train without a screen."""
    options = opt.picked(context, RunOptions)
    check_one_beginning(options, replay)
    rank = rank_of(os.environ)
    check_together(options, rank, replays=replay is not None)
    if rank is not None and not rank.leads:
        from reid_tui.opening.following import follow

        return follow(rank, data_dir)
    from reid_tui import headless
    from reid_tui.opening.place import check_place
    from reid_tui.runs.directory import locate_run
    from reid_tui.runs.replay import Replay

    again = None if replay is None else Replay(locate_run(replay, Path(runs_dir)))
    check_place(options)
    return headless.train(options, as_json=as_json, progress=progress, again=again)
