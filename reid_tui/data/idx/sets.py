"""The MNIST family: which files each set consists of, their hashes, and where they can be fetched. Facts only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reid_tui.data.idx.format import IdxFile

_FILES: Final = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_SHAPES: Final = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))


@dataclass(frozen=True, slots=True)
class IdxSource:
    """One data set of four idx files."""

    name: str
    title: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    """Training images, training labels, test images, test labels."""
    url: str
    """Folder of the gzipped files, https, ending in a slash."""
    torchvision: str
    """The folder that torchvision gives it."""
    system: tuple[str, ...]
    """Absolute folders where packages put it."""
    identity_names: tuple[str, ...]


def _content(*hashes: str) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
    a, b, c, d = (IdxFile(name, shape, sha256=h) for name, shape, h in zip(_FILES, _SHAPES, hashes, strict=True))
    return a, b, c, d


def _gzipped(*hashes: str) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
    a, b, c, d = (IdxFile(name, shape, gz_sha256=h) for name, shape, h in zip(_FILES, _SHAPES, hashes, strict=True))
    return a, b, c, d


FASHION_MNIST: Final = IdxSource(
    name="fashion-mnist",
    title="Fashion-MNIST",
    files=_content(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    url="https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    torchvision="FashionMNIST",
    system=("/usr/share/datasets/fashion-mnist",),
    identity_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)
MNIST: Final = IdxSource(
    name="mnist",
    title="MNIST",
    files=_content(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    torchvision="MNIST",
    system=(),
    identity_names=tuple("0123456789"),
)
KMNIST: Final = IdxSource(
    name="kmnist",
    title="KMNIST",
    files=_gzipped(
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    ),
    url="https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    torchvision="KMNIST",
    system=(),
    identity_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)
SOURCES: Final = {source.name: source for source in (FASHION_MNIST, MNIST, KMNIST)}
