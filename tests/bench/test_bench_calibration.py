from __future__ import annotations

import numpy as np
import pytest

from reid_tui.bench.calibration import calibration_error


def test_the_error_is_how_far_each_bin_is_off_with_both_kinds_weighing_alike() -> None:
    same = np.array([True] * 2 + [False] * 6)
    told = np.array([0.95, 0.91, *[0.05] * 6])
    assert calibration_error(told, same) == pytest.approx((0.07 + 0.05) / 2)
    assert calibration_error(same.astype(np.float64), same) == pytest.approx(0)
    # Over- and underconfident within one bin cancel, as the definition has it.
    assert calibration_error(np.full(8, 0.5), same) == pytest.approx(0)
