from __future__ import annotations

import contextlib
import os
import pickle
import pickletools
import tracemalloc
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byhand.core.errors import DataError
from byhand.data.datasets.pickled import read_pickle, unpickled
from byhand.interop.pickled_arrays import ARRAYS

# what Python 2.7 with NumPy 1.x writes for {'a': np.arange(3, dtype='<i4')}, with protocol 2
PYTHON_2 = (
    b"\x80\x02}q\x01U\x01aq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05"
    b"(K\x01K\x03\x85cnumpy\ndtype\nq\x06U\x02i4K\x00K\x01\x87Rq\x07(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    b"K\x00tb\x89U\x0c\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00tbs."
)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">f4"),
        np.array(2.5),
        np.zeros((0, 4), np.int64),
        np.array([True, False]),
        np.arange(8)[::2],
    ],
)
def test_arrays_come_back(protocol: int, array: Any) -> None:
    result = unpickled(pickle.dumps({"x": array, "n": [1, "a", b"b", None, 2.5]}, protocol), "x")
    found = result.get("x", result.get(b"x"))
    assert found.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(found, array)


def test_scalars_come_back() -> None:
    assert unpickled(pickle.dumps([np.int64(7), np.float32(0.5)]), "x") == [7, 0.5]


def test_python_2() -> None:
    assert unpickled(PYTHON_2, "x")[b"a"].tolist() == [0, 1, 2]


class Hostile:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_of_a_hostile_pickle_is_executed(protocol: int, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    for call, arguments in [(os.mkdir, (str(victim),)), (eval, (f"__import__('os').mkdir({str(victim)!r})",))]:
        path = tmp_path / "hostile.pkl"
        path.write_bytes(pickle.dumps((np.zeros(2), Hostile(call, *arguments)), protocol))
        with pytest.raises(DataError, match=r"hostile\.pkl was refused: it asks for .*\.(mkdir|eval)"):
            read_pickle(path)
        assert not victim.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),
        ("builtins", "getattr"),
        ("numpy.core.multiarray", "__builtins__"),
    ],
)
def test_other_names_are_refused(module: str, name: str) -> None:
    data = (
        pickle.PROTO
        + b"\x04"
        + b"".join(pickle.SHORT_BINUNICODE + bytes([len(word)]) + word.encode() for word in (module, name))
    )
    with pytest.raises(DataError, match=f"asks for {module}.{name}"):
        unpickled(data + pickle.STACK_GLOBAL + pickle.STOP, "x")
    with pytest.raises(DataError, match="refused"):
        unpickled(f"c{module}\n{name}\n.".encode(), "x")


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()], dtype=object),
        np.zeros(2, dtype="S3"),
        np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]),
        np.zeros(2, dtype="M8[s]"),
        OrderedDict(a=1),
        [1, (2, OrderedDict())],
        complex(1, 2),
    ],
)
def test_anything_but_plain_arrays_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match="refused"):
        unpickled(pickle.dumps(value), "x")


def test_arrays_that_lie_about_their_size() -> None:
    data = pickle.dumps(np.zeros(3, np.uint8), 2)
    lying = data.replace(b"K\x03\x85", b"M\xff\xff\x85", 1)
    assert lying != data
    with pytest.raises(DataError, match=r"shape \(65535,\) and dtype uint8 has 3 bytes"):
        unpickled(lying, "x")


@pytest.mark.parametrize("state", [{"a": 1}, (None, {"__defaults__": (1,)}), (None, {"make": len})])
def test_what_a_name_leads_to_cannot_be_changed(state: Any) -> None:
    before = ARRAYS["_codecs", "encode"].__defaults__
    with contextlib.suppress(DataError):
        unpickled(b"c_codecs\nencode\n" + pickle.dumps(state, 0).removesuffix(b".") + b"b.", "x")
    encode = ARRAYS["_codecs", "encode"]
    assert encode.__defaults__ == before
    assert vars(encode) == {}


def test_extensions_are_refused() -> None:
    with pytest.raises(DataError, match="extension 7"):
        unpickled(b"\x80\x02\x82\x07.", "x")


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02K\x05r\xff\xff\xff\x0f.",  # a memo index
        b"\x80\x05\x96\0\0\0\x20\0\0\0\0abc.",  # the length of a bytearray, of bytes, of text
        b"\x80\x04\x8e\0\0\0\x20\0\0\0\0abc.",
        b"\x80\x04\x8d\0\0\0\x20\0\0\0\0abc.",
    ],
)
def test_a_promised_size_reserves_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(DataError):
            assert unpickled(data, "x") == 5
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_nesting_without_end() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(DataError, match="nested too deeply"):
        unpickled(pickle.dumps(loop), "x")


def test_a_pickle_that_unfolds_to_more_than_memory() -> None:
    bomb: Any = [0] * 100_000
    for _ in range(3):
        bomb = [bomb] * 100_000
    assert len(unpickled(pickle.dumps(bomb), "x")) == 100_000


@pytest.mark.parametrize("data", [b"", b"\x80", pickle.dumps([1, 2])[:-1], b"garbage", b"\x80\x05\x8d" + b"\xff" * 8])
def test_damaged_pickles(data: bytes) -> None:
    with pytest.raises(DataError, match="is damaged"):
        unpickled(data, "x.pkl")


def test_a_pickle_that_ends_in_what_it_asked_for() -> None:
    """Not called, the stand-in for a class is no value: one changed byte of a real pickle gave this."""
    with pytest.raises(DataError, match="no value"):
        unpickled(b"cnumpy\nndarray\n.", "x")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_byte_never_gets_past(data: st.DataObject) -> None:
    """Whatever one byte becomes: a plain value, or DataError; never another exception, never another class."""
    whole = pickle.dumps({"x": np.arange(5), "y": [1, 2]}, data.draw(st.integers(0, 5)))
    at, value = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    try:
        result = unpickled(whole[:at] + bytes([value]) + whole[at + 1 :], "x")
    except DataError:
        return
    allowed = (dict, list, tuple, int, float, str, bytes, bytearray, bool, np.ndarray, np.generic, type(None), set)
    assert isinstance(result, allowed)


def test_the_sample_is_what_python_2_wrote() -> None:
    names = {op.name for op, _, _ in pickletools.genops(PYTHON_2)}
    assert "SHORT_BINSTRING" in names  # the bytes of Python 2's str, which Python 3 never writes
