"""`reid-tui bench`: speed on this machine."""

from typing import Annotated

import typer

from reid_tui.cli import options as opt


def bench(
    rounds: Annotated[int, opt.number("rounds", "N", "Times each pair of things is run, in turn.", opt.OUTPUT)] = 5,
    steps: Annotated[int, opt.number("steps", "N", "Optimiser steps a run.", opt.OUTPUT)] = 400,
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Measure this alone; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    data: opt.DataSpec = "fashion-mnist",
    data_dir: opt.DataDir = None,
) -> int:
    """Measure speed on this machine, each pair of things in turn."""
    from reid_tui.bench.command import run_bench

    return run_bench(rounds=rounds, steps=steps, only=tuple(only or ()), as_json=as_json, data=data, data_dir=data_dir)
