"""Alarms: what goes wrong in metric learning without the loss being not finite. Loads without torch.

Fed with the events that the trainer tells anyway, so that headless, screen and attached viewers hear the same.
"""

from reid_tui.training.alarms.watch import Alarms

__all__ = ["Alarms"]
