"""A process of several on a GPU: NCCL, and the same steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from reid_tui.data.dataset import Dataset
from tests.training.together.test_group_of_one import CASES, _in_float64, check_steps, group_of_one  # noqa: F401

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("asked", CASES, ids=str)
def test_steps_are_those_of_one_process(
    asked: dict[str, Any], tiny: Dataset, cuda: torch.device, tmp_path: Path
) -> None:
    group = group_of_one(tmp_path, cuda)
    try:
        check_steps(asked, tiny, group, cuda, within=1e-7)  # what Adam makes of float64 added in another order
    finally:
        group.close()
