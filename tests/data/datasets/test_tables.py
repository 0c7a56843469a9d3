from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byhand
from byhand.core.errors import DataError
from byhand.data import DataLoader
from byhand.data.datasets import Table, table


class Sheets:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, content: str | bytes, name: str = "data.csv") -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


@pytest.fixture
def sheet(tmp_path: Path) -> Sheets:
    return Sheets(tmp_path)


def test_numbers_with_a_header(sheet: Sheets) -> None:
    data = table(sheet("a,b,label\n1,2.5,0\n3,-4e2,1\n"))
    assert isinstance(data, Table)
    x, y = data.tensors
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert x.tolist() == [[1.0, 2.5], [3.0, -400.0]]
    assert y.tolist() == [0, 1]
    assert (data.columns, data.target, data.classes) == (("a", "b"), "label", ("0", "1"))


def test_numbers_without_a_header(sheet: Sheets) -> None:
    data = table(sheet("1,2,0\n3,4,2\n"))
    assert data.tensors[0].tolist() == [[1, 2], [3, 4]]
    assert data.columns == ("0", "1")
    assert data.classes == ("0", "1", "2")


@pytest.mark.parametrize("target", ["kind", 0, -3])
def test_words_become_classes(sheet: Sheets, target: Any) -> None:
    data = table(sheet("kind,a,b\nsetosa,1,2\nvirginica,3,4\nsetosa,5,6\n"), target=target)
    assert data.tensors[0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert data.tensors[1].tolist() == [0, 1, 0]
    assert data.classes == ("setosa", "virginica")


def test_words_without_a_header(sheet: Sheets) -> None:
    """The iris file of UCI has none: words in the last column alone do not make one."""
    data = table(sheet("5.1,3.5,setosa\n6.2,2.9,virginica\n"))
    assert len(data) == 2
    assert data.classes == ("setosa", "virginica")


def test_a_real_target_is_for_regression(sheet: Sheets) -> None:
    data = table(sheet("a,price\n1,2.5\n2,3\n"))
    assert data.tensors[1].dtype == np.float32
    assert data.tensors[1].tolist() == [2.5, 3.0]
    assert data.classes == ()


def test_no_target(sheet: Sheets) -> None:
    data = table(sheet("1,2\n3,4\n"), target=None)
    assert len(data.tensors) == 1
    assert data.target is None


@pytest.mark.parametrize(
    "content",
    ["1;2;0\n3;4;1\n", "1\t2\t0\n3\t4\t1\n", "1|2|0\n3|4|1\n", "  1 2   0\n3  4 1\n", "1, 2, 0\r\n\r\n3, 4, 1\r\n"],
)
def test_other_delimiters_and_line_ends(sheet: Sheets, content: str) -> None:
    data = table(sheet(content))
    assert data.tensors[0].tolist() == [[1, 2], [3, 4]]
    assert data.tensors[1].tolist() == [0, 1]


def test_quotes_byte_order_mark_and_gzip(sheet: Sheets) -> None:
    content = '"a, long","b"\n"1",x\n2,"y"\n'.encode("utf-8-sig")
    data = table(sheet(gzip.compress(content)))
    assert data.columns == ("a, long",)
    assert data.tensors[0].tolist() == [[1], [2]]
    assert data.classes == ("x", "y")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,y\n1,2,0\n1,oops,1\n", r"line 3, column 'b': 'oops' is not a number"),
        ("a,b,y\n1,2,0\n\n1,,1\n", r"line 4, column 'b': the cell is empty"),
        ("a,b,y\n1,2,0\n1,2,\n", r"line 3, column 'y': the cell is empty"),
        ("a,b,y\n1,2,0\n1,2\n", r"line 3: 2 cells, expected 3 \(a, b, y\)"),
        ("a,b,y\n1,nan,0\n", r"line 2, column 'b': 'nan' is not finite"),
        ("1,2,0\n1,inf,0\n", r"line 2, column '1': 'inf' is not finite"),
        ("a,b\n1e300,0\n", r"sample 0, column 'a' is inf, as float32"),
        ("a,y\n1,nan\n", r"target 'y' is nan"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b,y\n", "a header but no rows"),
        ("1\n2\n", "one column only"),
        (b"a,b\n1,\xff\n", "not UTF-8"),
    ],
)
def test_a_wrong_cell_is_named(sheet: Sheets, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=r"data\.csv.*" + message):
        table(sheet(content))


def test_a_column_that_is_not_there(sheet: Sheets) -> None:
    with pytest.raises(DataError, match="no column 'z'; its columns are a, b"):
        table(sheet("a,b\n1,2\n"), target="z")
    with pytest.raises(DataError, match="there is no column 2"):
        table(sheet("a,b\n1,2\n"), target=2)


def test_files_that_are_none(sheet: Sheets, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        table(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"expected a file named \.csv"):
        table(sheet("1", "data.xlsx"))
    for name in ("data.npy", "data.npz"):
        with pytest.raises(DataError, match="is damaged"):
            table(sheet(b"PK\x03\x04 and no more", name))


def test_a_truncated_npz(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.zeros((100, 3)), y=np.zeros(100, int))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"data\.npz is damaged"):
        table(path)


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.arange(6.0).reshape(3, 2), y=np.array([0, 1, 1]), other=np.zeros(1))
    x, y = table(path).tensors
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert x.shape == (3, 2)
    assert table(path, target=None, inputs="other").tensors[0].shape == (1, 1)
    np.savez(path, a=np.zeros((2, 2)), b=np.array(["u", "v"]))
    with pytest.raises(DataError, match=r"holds the arrays a, b; say which is the inputs"):
        table(path)
    assert table(path, target="b").classes == ("u", "v")
    with pytest.raises(DataError, match="say which is the target"):
        table(path, target="c", inputs="a")
    np.savez(path, x=np.zeros((2, 2)), y=np.zeros(3))
    with pytest.raises(DataError, match=r"2 inputs, but a target of shape \(3,\)"):
        table(path)


@pytest.mark.parametrize(
    ("shape", "expected"), [((2, 5, 4), (2, 1, 5, 4)), ((2, 5, 4, 3), (2, 3, 5, 4)), ((2, 3, 5, 4), (2, 3, 5, 4))]
)
def test_images_of_ones_own(shape: tuple[int, ...], expected: tuple[int, ...], tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", images=np.full(shape, 255, np.uint8), labels=np.array([0, 1]))
    x = table(tmp_path / "data.npz").tensors[0]
    assert (x.shape, x.dtype) == (expected, np.float32)
    assert (x.array == 1).all()


def test_npy(tmp_path: Path) -> None:
    path = tmp_path / "data.npy"
    np.save(path, np.array([[1.5, 2.0, 0.0], [3.0, 4.0, 1.0]]))
    data = table(path)
    assert data.tensors[0].tolist() == [[1.5, 2.0], [3.0, 4.0]]
    assert data.tensors[1].dtype == np.int64
    assert table(path, target=0).tensors[1].dtype == np.float32
    assert table(path, target=None).tensors[0].shape == (2, 3)
    with pytest.raises(DataError, match="no column 7"):
        table(path, target=7)
    np.save(path, np.array([[1.0, np.nan, 0.0]]))
    with pytest.raises(DataError, match=r"sample 0, .* is nan"):
        table(path)
    np.save(path, np.array([1 + 2j]))
    with pytest.raises(DataError, match="no table of numbers"):
        table(path, target=None)


def test_pickled_objects_are_never_read(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "victim"),)

    np.save(tmp_path / "data.npy", np.array([Hostile()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "data.npz", x=np.array([Hostile()], dtype=object), allow_pickle=True)
    for name in ("data.npy", "data.npz"):
        with pytest.raises(DataError, match="Python objects, which are never read"):
            table(tmp_path / name, target=None, inputs="x")
    assert not (tmp_path / "victim").exists()


def test_a_table_is_loaded_in_batches(sheet: Sheets) -> None:
    byhand.manual_seed(0)
    data = table(sheet("\n".join(f"{i},{i % 3}" for i in range(10))))
    assert sorted(int(v) for x, _ in DataLoader(data, 4, shuffle=True) for v in x.array[:, 0]) == list(range(10))
