"""Text by characters: windows of a long string as inputs, the same windows one character later as targets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from byhand.core.errors import DataError, UsageError
from byhand.data.dataset import Dataset
from byhand.data.datasets.download import Progress, download
from byhand.data.datasets.folder import Folder, find, folders, home, missing, read
from byhand.data.sampler import check_positive
from byhand.data.whole import Where
from byhand.tensor import Tensor

SHAKESPEARE = ("tinyshakespeare.txt", "tiny_shakespeare.txt", "input.txt")
MIRRORS = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "https://raw.githubusercontent.com/jcjohnson/torch-rnn/master/data/tiny-shakespeare.txt",
)
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


class TextDataset(Dataset[tuple[Tensor, Tensor]]):
    """Every window of `block_size` characters of a text: sample `i` is (text[i : i+B], text[i+1 : i+B+1]) as int64.

    `vocabulary` is the sorted string of the characters that occur, or the one that is given (so that a validation
    text is counted in the training text's numbers); `len(vocabulary)` is the number of classes. Batches are read
    whole. Raises DataError for a text not longer than a block, or with a character outside of the vocabulary.

    >>> import byhand
    >>> data = byhand.data.datasets.TextDataset("hello", block_size=3)
    >>> data.vocabulary, len(data)
    ('ehlo', 2)
    >>> [data.decode(part) for part in data[0]]
    ['hel', 'ell']
    """

    def __init__(self, text: str, block_size: int, vocabulary: str | None = None) -> None:
        check_positive("block_size", block_size)
        self.vocabulary = "".join(sorted(set(text))) if vocabulary is None else "".join(sorted(set(vocabulary)))
        self.block_size = int(block_size)
        self._points = _code_points(self.vocabulary)
        self.data = self.encode(text)
        if len(text) <= block_size:
            raise DataError(f"a text of {len(text)} characters has no window of block_size={block_size} and the next")
        windows = sliding_window_view(self.data.array, self.block_size)
        self._inputs, self._targets = windows[:-1], windows[1:]

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return Tensor(self._inputs[index].copy()), Tensor(self._targets[index].copy())

    def fetch(self, where: Where) -> list[Tensor]:
        """The windows at `where` (a slice or int64 indices) as two tensors (n, block_size)."""
        return [Tensor(np.array(self._inputs[where])), Tensor(np.array(self._targets[where]))]

    def encode(self, text: str) -> Tensor:
        """The places of the characters in the vocabulary, int64. Raises DataError for one that is not in it."""
        points = _code_points(text)
        if not self.vocabulary and text:
            raise DataError("the vocabulary is empty")
        places = np.minimum(np.searchsorted(self._points, points), max(len(self._points) - 1, 0))
        unknown = np.flatnonzero(self._points[places] != points) if text else np.empty(0, np.int64)
        if unknown.size:
            at = int(unknown[0])
            line = text.count("\n", 0, at) + 1
            raise DataError(f"the character {text[at]!r} (line {line}) is not in the vocabulary {self.vocabulary!r}")
        return Tensor(places.astype(np.int64))

    def decode(self, indices: Tensor | Iterable[int]) -> str:
        """The characters at these places of the vocabulary."""
        values = indices.array.ravel().tolist() if isinstance(indices, Tensor) else list(indices)
        return "".join(self.vocabulary[int(i)] for i in values)

    def split(self, fraction: float = 0.9) -> tuple[TextDataset, TextDataset]:
        """The first `fraction` of the text and the rest, in one vocabulary.

        Raises UsageError unless 0 < fraction < 1.
        """
        if not 0 < fraction < 1:
            raise UsageError(f"split takes a fraction between 0 and 1, not {fraction!r}")
        text = self.decode(self.data)
        at = int(len(text) * fraction)
        first, rest = (TextDataset(part, self.block_size, self.vocabulary) for part in (text[:at], text[at:]))
        return first, rest


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def text(path: Folder, block_size: int = 64, vocabulary: str | None = None) -> TextDataset:
    """Any UTF-8 text file (gzipped or not) by characters. Raises DataError if it is missing or not UTF-8."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    try:
        content = read(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text: byte {error.start:,} is {error.object[error.start]:#x}") from error
    return TextDataset(content, block_size, vocabulary)


def tiny_shakespeare(
    block_size: int = 64, folder: Folder | None = None, *, download: bool = True, progress: Progress | None = None
) -> TextDataset:
    """Tiny Shakespeare, 1,115,394 characters of plays: 65 different ones. `.split(0.9)` gives the usual two parts.

    `tinyshakespeare.txt` is looked for in `folder`, else in `$BYHAND_DATA/text` and the cache folder, and downloaded
    (1.1 MB) if it is in none of them, unless `download=False`.

    A. Karpathy: The unreasonable effectiveness of recurrent neural networks, 2015.
    """
    places = folders("text", folder)
    path = find(places, SHAKESPEARE)
    if path is None:
        path = _downloaded(places, folder, download, progress)
    return text(path, block_size)


def _downloaded(places: list[Path], folder: Folder | None, fetch: bool, progress: Progress | None) -> Path:
    if not fetch:
        raise missing(SHAKESPEARE[0], "text", places)
    return download(MIRRORS, home("text", folder) / SHAKESPEARE[0], SHA256, progress)
