from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from byhand.core.errors import DataError
from byhand.data.datasets.folder import cache_folder, find, folders, home, read


def test_byhand_data_comes_first_then_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache" / "byhand"
    assert cache_folder() == cache
    assert folders("mnist") == [cache / "mnist"]
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path / "mine"))
    assert folders("mnist") == [tmp_path / "mine" / "mnist", cache / "mnist"]
    assert home("mnist") == cache / "mnist"


def test_a_given_folder_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", "elsewhere")
    assert folders("mnist", tmp_path) == [tmp_path, tmp_path / "mnist"]
    assert home("mnist", str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    ("platform", "tail"),
    [("linux", (".cache", "byhand")), ("darwin", ("Library", "Caches", "byhand")), ("win32", ("Local", "byhand"))],
)
def test_cache_folder_of_each_platform(platform: str, tail: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder().parts[-len(tail) :] == tail
    if platform == "win32":
        monkeypatch.setenv("LOCALAPPDATA", "there")
        assert cache_folder() == Path("there", "byhand")


def test_find_prefers_the_first_place_and_looks_into_rooms(tmp_path: Path) -> None:
    (tmp_path / "b" / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "b" / "MNIST" / "raw" / "x").touch()
    places = [tmp_path / "a", tmp_path / "b"]
    assert find(places, ["y", "x"]) == tmp_path / "b" / "MNIST" / "raw" / "x"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").touch()
    assert find(places, ["y", "x"]) == tmp_path / "a" / "x"
    assert find(places, ["z"]) is None


def test_read_unpacks_and_says_what_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "file"
    packed = gzip.compress(b"hello" * 1000)
    path.write_bytes(packed)
    assert read(path) == b"hello" * 1000
    path.write_bytes(b"plain")
    assert read(path) == b"plain"
    for damaged in (packed[:-20], packed[:12] + b"\xff\xff\xff" + packed[15:], packed[:-4] + b"\0\0\0\0"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"file is truncated or corrupt .* get it again"):
            read(path)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)
