"""The charts of the dashboard: pure functions of data, size and style to lines of text with SGR sequences only."""

from reid_tui.view.distance_chart import distance_chart
from reid_tui.view.grid import placeholder
from reid_tui.view.loss_chart import loss_chart
from reid_tui.view.map_chart import map_chart
from reid_tui.view.palette import ChartStyle, identity_letter
from reid_tui.view.score_chart import score_chart

__all__ = [
    "ChartStyle",
    "distance_chart",
    "identity_letter",
    "loss_chart",
    "map_chart",
    "placeholder",
    "score_chart",
]
