from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.core.errors import DataError, UsageError
from byhand.data import DataLoader
from byhand.data.datasets import TextDataset, characters, text, tiny_shakespeare


def test_windows_and_their_targets() -> None:
    data = TextDataset("abcabd", 3)
    assert data.vocabulary == "abcd"
    assert len(data) == 3
    assert [data.decode(x) + ">" + data.decode(y) for x, y in (data[i] for i in range(3))] == [
        "abc>bca",
        "bca>cab",
        "cab>abd",
    ]
    assert data[0][0].dtype == np.int64
    with pytest.raises(IndexError):
        data[3]


def test_batches_are_read_whole_and_are_copies() -> None:
    data = TextDataset("hello world", 4)
    for shuffle in (False, True):
        for x, y in DataLoader(data, 3, shuffle):
            assert x.shape == y.shape
            assert np.array_equal(x.array[:, 1:], y.array[:, :-1])
            x.array[:] = -1
            assert y.array.min() >= 0
    assert data.decode(data.data) == "hello world"
    assert [z.shape for z in data.fetch(np.array([0, 2]))] == [(2, 4), (2, 4)]


@settings(deadline=None)
@given(st.text(min_size=2, max_size=40))
def test_decode_undoes_encode(letters: str) -> None:
    data = TextDataset(letters, 1)
    assert data.decode(data.encode(letters)) == letters
    assert data.decode(data.data.tolist()) == letters
    assert list(data.vocabulary) == sorted(set(letters))


def test_a_character_outside_of_the_vocabulary() -> None:
    data = TextDataset("abc", 1)
    assert data.encode("").shape == (0,)
    with pytest.raises(DataError, match=r"'z' \(line 2\) is not in the vocabulary '.nabc'"):
        TextDataset("abc\n", 1, vocabulary="abc\n").encode("ab\nz")


def test_a_given_vocabulary() -> None:
    data = TextDataset("bab", 1, vocabulary="cbaa")
    assert data.vocabulary == "abc"
    assert data.data.tolist() == [1, 0, 1]


def test_split_keeps_the_vocabulary() -> None:
    first, rest = TextDataset("aaaaaaaabc", 1).split(0.8)
    assert (len(first), len(rest)) == (7, 1)
    assert first.vocabulary == rest.vocabulary == "abc"
    with pytest.raises(UsageError, match="between 0 and 1"):
        first.split(1.0)


def test_too_short_and_bad_sizes() -> None:
    with pytest.raises(DataError, match="4 characters has no window of block_size=4"):
        TextDataset("abcd", 4)
    with pytest.raises(DataError, match="0 characters"):
        TextDataset("", 4)
    for size in (0, -1, 2.0, True):
        with pytest.raises(UsageError, match="block_size is a positive integer"):
            TextDataset("abcd", size)


def test_text_file(tmp_path: Path) -> None:
    path = tmp_path / "tale.txt"
    path.write_text("Grüße, 世界", "utf-8")
    data = text(path, block_size=2)
    assert data.decode(data.data) == "Grüße, 世界"
    path.write_bytes(b"abc\xff\xfe")
    with pytest.raises(DataError, match=r"tale\.txt is not UTF-8 text: byte 3 is 0xff"):
        text(path)
    with pytest.raises(DataError, match="no such file"):
        text(tmp_path / "none.txt")


@pytest.mark.parametrize("name", ["tinyshakespeare.txt", "input.txt"])
def test_tiny_shakespeare_from_byhand_data(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"tinyshakespeare\.txt was not found"):
        tiny_shakespeare(download=False)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / name).write_text("To be, or not to be", "utf-8")
    data = tiny_shakespeare(block_size=5)
    assert data.decode(data[0][0]) == "To be"


def test_tiny_shakespeare_is_downloaded(mirror: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.files["input.txt"] = b"Speak, speak."
    monkeypatch.setattr(characters, "MIRRORS", (mirror.url + "input.txt",))
    monkeypatch.setattr(characters, "SHA256", hashlib.sha256(b"Speak, speak.").hexdigest())
    assert len(tiny_shakespeare(block_size=3)) == 10
    assert len(tiny_shakespeare(block_size=3, download=False)) == 10


def test_text_trains_a_subset() -> None:
    part = byhand.data.Subset(TextDataset("hello world", 4), range(2, 5))
    assert [x.tolist() for x, _ in DataLoader(part, 2)] == [[[4, 4, 5, 0], [4, 5, 0, 7]], [[5, 0, 7, 5]]]
