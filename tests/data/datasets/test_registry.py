from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

import byhand
from byhand.core.errors import DataError, UsageError
from byhand.data.datasets import catalog, load, names
from byhand.data.datasets.idx import FILES


def test_names_begin_with_what_works_offline() -> None:
    assert names()[0] == "digits"
    assert set(names()) >= {"mnist", "fashion_mnist", "cifar10", "planar_flower", "spirals", "moons", "circles"}


def test_digits_are_cut_in_the_same_way_every_time() -> None:
    byhand.manual_seed(1)
    first = load("digits")
    byhand.manual_seed(2)
    second = load("digits")
    assert (len(first.train), len(first.valid or []), len(first.test)) == (1258, 180, 359)
    assert np.array_equal(first.test.tensors[0].array, second.test.tensors[0].array)
    assert (first.kind, first.shape, first.classes, first.class_names) == ("images", (1, 8, 8), 10, tuple("0123456789"))
    whole = np.concatenate([part.tensors[0].array for part in (first.train, first.valid, first.test)])
    assert len(np.unique(whole.reshape(1797, 64), axis=0)) == 1797


def test_the_shares_can_be_chosen() -> None:
    parts = load("digits", valid=0, test=0.5)
    assert parts.valid is None
    assert (len(parts.train), len(parts.test)) == (899, 898)
    with pytest.raises(UsageError, match="fractions from 0 up to 1"):
        load("digits", test=1.5)


@pytest.mark.parametrize("name", ["planar_flower", "spirals", "moons", "circles", "gaussian_quantiles"])
def test_points(name: str) -> None:
    byhand.manual_seed(1)
    first = load(name)
    byhand.manual_seed(2)
    assert np.array_equal(load(name).train.tensors[0].array, first.train.tensors[0].array)
    assert (first.kind, first.shape) == ("points", (2,))
    assert first.classes == (3 if name == "spirals" else 2)
    labels = np.concatenate([part.tensors[1].array for part in (first.train, first.valid, first.test)])
    assert set(labels.tolist()) == set(range(first.classes))


def test_options_reach_the_dataset() -> None:
    assert len(load("planar_flower", m=40, valid=0).train) == 32
    with pytest.raises(UsageError, match="moons has no option 'm'; it takes n_samples, noise, shuffle, seed"):
        load("moons", m=3)
    with pytest.raises(UsageError, match="digits has no option 'folder'; it takes none"):
        load("digits", folder="x")


def test_an_unknown_name() -> None:
    with pytest.raises(UsageError, match=r"no dataset is named 'minst'; did you mean 'mnist'\?"):
        load("minst")
    with pytest.raises(UsageError, match="known are digits, mnist"):
        load("qqq")


def test_files_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b,kind\n" + "\n".join(f"{i},{i},{'xy'[i % 2]}" for i in range(20)))
    parts = load(str(path))
    assert (parts.kind, parts.shape, parts.classes, parts.class_names) == ("table", (2,), 2, ("x", "y"))
    assert (len(parts.train), len(parts.valid or []), len(parts.test)) == (14, 2, 4)
    assert parts.train.columns == ("a", "b")
    with pytest.raises(DataError, match="line 2, column 'kind': 'x' is not a number"):
        load(str(path), target="b")
    with pytest.raises(DataError, match="no such file"):
        load(str(tmp_path / "none.csv"))


def test_regression_has_no_classes(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(f"{i},{i + 0.5}" for i in range(20)))
    assert load(str(path)).classes is None


def test_text_files(tmp_path: Path) -> None:
    path = tmp_path / "tale.txt"
    path.write_text("once upon a time " * 20)
    parts = load(str(path), block_size=8)
    assert (parts.kind, parts.shape) == ("text", (8,))
    assert parts.class_names == tuple(sorted(set("once upon a time ")))
    assert parts.classes == len(parts.class_names)
    whole = "once upon a time " * 20
    assert parts.train.decode(parts.train.data) == whole[: round(0.7 * len(whole))]
    assert parts.test.decode(parts.test.data) == whole[round(0.8 * len(whole)) :]


def test_the_tutorials_pickle(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    content = tuple((random.random((n, 784)), random.integers(0, 10, n)) for n in (5, 3, 2))
    (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(content)))
    parts = load(str(tmp_path / "mnist.pkl.gz"))
    assert (len(parts.train), len(parts.valid or []), len(parts.test)) == (5, 3, 2)
    assert parts.shape == (1, 28, 28)


def test_a_test_part_of_its_own_is_kept(tmp_path: Path) -> None:
    for file, n in zip(FILES, (12, 12, 5, 5), strict=True):
        shape = (n, 28, 28) if "images" in file else (n,)
        values = np.arange(np.prod(shape)) % (256 if "images" in file else 10)
        header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
        (tmp_path / file).write_bytes(header + values.astype(np.uint8).tobytes())
    parts = load("mnist", folder=tmp_path)
    assert (len(parts.train), len(parts.valid or []), len(parts.test)) == (10, 2, 5)
    assert parts.train.tensors[1].tolist() == list(range(10))
    assert (parts.valid or parts.test).tensors[1].tolist() == [0, 1]
    assert load("mnist", folder=tmp_path, valid=0).valid is None


def test_too_few_samples_to_cut(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("1,0\n")
    with pytest.raises(DataError, match="too few"):
        load(str(path))


def test_shares_that_leave_nothing_to_train_on() -> None:
    with pytest.raises(DataError, match="too few"):
        load("moons", test=0.999)


def test_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    rows = {row.name: row for row in catalog()}
    assert list(rows) == names()
    assert rows["digits"].present
    assert rows["digits"].where == "bundled"
    assert not rows["tiny_shakespeare"].present
    assert rows["tiny_shakespeare"].where == str(tmp_path / "cache" / "byhand" / "text")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "input.txt").touch()
    row = next(row for row in catalog() if row.name == "tiny_shakespeare")
    assert row.present
    assert row.where == str(tmp_path / "text")
