"""What a setting may be, and how a person spells it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from reid_tui.config.choices import MODELS
from reid_tui.errors import UsageError


@dataclass(frozen=True, slots=True)
class Limit:
    """The closed range that an option's value must lie in; `above` excludes the lower end."""

    low: float
    high: float
    whole: bool = False
    above: bool = False

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        first = "above" if self.above else "from"
        high = str(self.high) if isinstance(self.high, int) else f"{self.high:g}"
        return f"{kind} {first} {self.low:g} {'up ' if self.above else ''}to {high}"

    def read(self, text: str, label: str) -> float:
        """Read a number typed by a person.

        Raises:
            UsageError: not a number, not finite, not whole where it must be, or out of range.
        """
        value: float
        try:
            value = int(text) if self.whole else float(text)
        except (ValueError, OverflowError):
            value = math.nan
        inside = (self.low < value if self.above else self.low <= value) and value <= self.high
        if not inside:
            raise UsageError(f"{label} must be {self}, not {text!r}")
        return value


LIMITS: Final[dict[str, Limit]] = {
    "epochs": Limit(1, 100_000, whole=True),
    "steps": Limit(1, 1_000_000_000, whole=True),
    "images_per_identity": Limit(2, 1024, whole=True),
    "at": Limit(0, 1_000_000_000, whole=True),
    "batch_size": Limit(2, 16_384, whole=True),
    "lr": Limit(0, 10, above=True),
    "margin": Limit(0, 1000, above=True),
    "embedding_dim": Limit(2, 1024, whole=True),
    "seed": Limit(0, 2**32 - 1, whole=True),
    "eval_every": Limit(0, 100_000, above=True),
    "weight_decay": Limit(0, 1),
    "average_weights": Limit(0, 0.99999),
    "nproc": Limit(1, 256, whole=True),
    "fps": Limit(1, 60, whole=True),
    "image_side": Limit(8, 1024, whole=True),
    "pairs_shown": Limit(0, 64, whole=True),
    "matches": Limit(1, 10_000, whole=True),
    "rounds": Limit(1, 1000, whole=True),
    "far": Limit(0, 1, above=True),
    "prior": Limit(0, 0.999999, above=True),
}


def flag(name: str) -> str:
    """The command line's spelling of a setting."""
    return "--" + name.replace("_", "-")


def parse_number(name: str, text: str, label: str | None = None) -> float:
    """Read a number typed by a person and hold it against the limit of setting `name`.

    Raises:
        UsageError: as `Limit.read`.
    """
    return LIMITS[name].read(text, label or flag(name))


def parse_whole(name: str, text: str, label: str | None = None) -> int:
    """As `parse_number`, for settings that are whole.

    Raises:
        UsageError: as `parse_number`.
    """
    return int(parse_number(name, text, label))


def parse_choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    """Accept one of `choices`.

    Raises:
        UsageError: anything else, naming the choices.
    """
    if text not in choices:
        raise UsageError(f"{flag(name)} must be one of {', '.join(choices)}, not {text!r}")
    return text


def parse_name(text: str, label: str = "--name") -> str:
    """Accept a run name that is safe as a folder's name.

    Raises:
        UsageError: empty, too long, or with characters outside letters, digits, dot, dash, underscore.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise UsageError(
            f"{label} must be 1 to 64 letters, digits, '.', '_' or '-', not starting with '.' or '-', not {text!r}"
        )
    return text


def parse_model(text: str, label: str = "--model") -> str:
    """Accept a network's name; whether torchvision has it is found out later.

    Raises:
        UsageError: no name.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", text):
        raise UsageError(f"{label} must be {', '.join(MODELS)} or a network of torchvision's, not {text!r}")
    return text


def parse_image_size(text: str, label: str = "--image-size") -> str:
    """Accept `HxW`, or one number for a square; the result is `HxW`.

    Raises:
        UsageError: anything else, or a side out of range.
    """
    found = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", text)
    sides = [int(found[1]), int(found[2] or found[1])] if found else []
    limit = LIMITS["image_side"]
    if not sides or not all(limit.low <= side <= limit.high for side in sides):
        raise UsageError(
            f"{label} must be HEIGHTxWIDTH such as 128x64, each {limit.low:g} to {limit.high:g} pixels, not {text!r}"
        )
    return f"{sides[0]}x{sides[1]}"


def parse_holdout(text: str, label: str = "--holdout") -> str:
    """Accept a whole number of identities, or a share of them as a fraction or in percent.

    Returns:
        Digits for a number, otherwise a fraction with a point.

    Raises:
        UsageError: anything else.
    """
    share = re.fullmatch(r"(0?\.\d{1,6})|(\d{1,2}(?:\.\d{1,4})?) ?%", text)
    if text.isascii() and text.isdigit() and 0 < int(text[:9]) == int(text):
        return str(int(text))
    if share and (value := float(share[1] or 0) or float(share[2] or 0) / 100) > 0:
        return f"{value:.6f}".rstrip("0")
    raise UsageError(f"{label} must be a number of identities such as 20, or a share such as 0.2, not {text!r}")


def parse_camera_pattern(text: str, label: str = "--camera-pattern") -> str:
    """Accept a regular expression with a group, named `camera` or the first one.

    Raises:
        UsageError: no expression, or none with a group.
    """
    try:
        groups = re.compile(text).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{label} {text!r} is no regular expression: {error}") from error
    if not groups:
        raise UsageError(f"{label} {text!r} has no group; put round brackets about what names the camera: '_c(\\d+)'")
    return text


def parse_device(text: str) -> str:
    """Accept the name of a device; whether it exists is found out later, by torch.

    Raises:
        UsageError: not auto, cpu, cuda, cuda:N or mps.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", text):
        raise UsageError(f"--device must be auto, cpu, cuda, cuda:N or mps, not {text!r}")
    return text
