"""The language of loops: what its words mean, what it refuses, and the machine code that is kept."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from byhand.core.errors import UsageError
from byhand.program.loops import cache, machine_code, translation
from byhand.program.loops.blas import numpys_blas
from byhand.program.loops.machine_code import INTEGER, REAL, functions, optimised
from byhand.program.loops.terms import NUMBERS
from byhand.program.loops.vocabulary import HEADER


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BYHAND_CACHE", str(tmp_path))
    monkeypatch.setattr(machine_code, "_loaded", {})
    return tmp_path / "loops"


def kernel(
    body: str, parameters: str = "x, y", kinds: Any = (INTEGER, INTEGER), before: str = ""
) -> Callable[..., int]:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return functions(f"{before}\ndef main({parameters}):\n{lines}\n    return 0\n", {"main": list(kinds)}, None)["main"]


def mapped(formula: str, x: Any, code: str = "f4", out: str = "f4") -> Any:
    """y[i] = formula of a = x[i]."""
    y = np.zeros(len(x), np.dtype(out))
    run = kernel(
        f"p = argument_{code}(x)\nq = argument_{out}(y)\nfor i in range({len(x)}):\n    a = p[i]\n    q[i] = {formula}"
    )
    assert run(id(x), id(y)) == 0
    return y


X = np.array([-2.5, -1.0, -0.0, 0.5, 1.5, 2.5, np.nan, np.inf], np.float32)


@pytest.mark.parametrize(
    "formula, reference",
    [
        ("a * a - f4(1) / a", lambda a: a * a - 1 / a),
        ("-a + 2", lambda a: -a + 2),
        ("where(a > 1, a, f4(0.25))", lambda a: np.where(a > 1, a, np.float32(0.25))),
        ("a if -1 < a <= 2 else f4(7)", lambda a: np.where((a > -1) & (a <= 2), a, np.float32(7))),
        ("where(not (a != a), f4(1), f4(0))", lambda a: (a == a).astype(np.float32)),
        ("where((a > 0) & (a < 2) | (a == -1), f4(1), f4(0))", lambda a: ((a > 0) & (a < 2) | (a == -1)).astype("f4")),
        ("maximum(a, f4(0))", lambda a: np.maximum(a, 0)),
        ("minimum(f4(0), a)", lambda a: np.minimum(0, a)),
        ("f4(f8(a) * f8(3))", lambda a: (a.astype(float) * 3).astype(np.float32)),
        ("floor(a) + ceil(a) + trunc(a) + rint(a)", lambda a: np.floor(a) + np.ceil(a) + np.trunc(a) + np.rint(a)),
        ("copysign(fabs(a), f4(-1)) * sqrt(f4(4))", lambda a: -np.abs(a) * 2),
        ("of_bits_f4(bits_f4(a))", lambda a: a),
        ("f4(i)", lambda a: np.arange(len(a), dtype=np.float32)),
        ("f4(np.inf) - a", lambda a: np.float32(np.inf) - a),
        ("p[i]", lambda a: a),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_formulas(formula: str, reference: Any) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(mapped(formula, X), reference(X))


@pytest.mark.parametrize("code", ["i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"])
def test_integers_keep_their_size_and_sign(code: str) -> None:
    x = np.array([0, 1, 2, 100, 127], code)
    kind = x.dtype.type
    np.testing.assert_array_equal(mapped(f"a * a + {code}(3)", x, code, code), x * x + kind(3))
    np.testing.assert_array_equal(
        mapped(f"f8(maximum({code}(5) - a, {code}(7)))", x, code, "f8"), np.maximum(kind(5) - x, kind(7))
    )
    np.testing.assert_array_equal(
        mapped(f"(a << {code}(1)) | (a >> {code}(1)) ^ {code}(9) & a", x, code, code), (x << 1) | (x >> 1) ^ 9 & x
    )
    assert mapped(f"larger({code}(3), a)", x, code, code).tolist() == np.maximum(x, 3).tolist()


def test_floats_become_integers_as_in_c() -> None:
    assert mapped("i4(a)", X[:6], "f4", "i4").tolist() == [-2, -1, 0, 0, 1, 2]
    assert mapped("u1(a > 0)", X[:6], "f4", "u1").tolist() == [0, 0, 0, 1, 1, 1]


def test_loops_within_loops_and_running_totals() -> None:
    x, y = np.arange(12.0).reshape(3, 4), np.zeros(4)
    run = kernel(
        "p = argument_f8(x)\nq = argument_f8(y)\nmost = f8(-np.inf)\nall = f8(1)\n"
        "for i in range(3):\n    total = f8(0)\n    for j in range(4):\n        total = plus(total, p[i * 4 + j])\n"
        "        most = larger(most, p[i * 4 + j])\n        all = times(all, p[i * 4 + j] + 1)\n    q[i] = total\n"
        "q[3] = most + all"
    )
    run(id(x), id(y))
    assert y.tolist() == [6.0, 22.0, 38.0, 11.0 + 479001600.0]


def test_a_loop_without_rounds_does_nothing() -> None:
    y = np.ones(1)
    kernel("q = argument_f8(y)\nfor i in range(n):\n    q[0] = 2.0", "n, y")(0, id(y))
    assert y[0] == 1


def test_kernels_return_early() -> None:
    run = kernel("if n > 3:\n    return 5\nif n == 2:\n    return 6", "n", [INTEGER])
    assert [run(n) for n in (4, 2, 1)] == [5, 6, 0]


def test_arrays_have_the_address_of_their_data_where_kernels_look_for_it() -> None:
    for x in (np.zeros((3, 4), np.float32)[1:], np.zeros(()), np.zeros((2, 0))):
        assert ctypes.c_int64.from_address(id(x) + HEADER).value == x.ctypes.data


def test_tables_offsets_and_numbers() -> None:
    x = np.arange(5.0)
    table = np.array([0, x.ctypes.data], np.int64)
    kernel("p = at(pointer_f8(table, 1), 2)\np[1] = lr * 2.0", "table, lr", [INTEGER, REAL])(table.ctypes.data, 0.75)
    assert x.tolist() == [0, 1, 2, 1.5, 4]


@pytest.mark.parametrize(
    "body, error",
    [
        ("while x:\n    pass", "no statement of loops: while x"),
        ("a = [x]", r"no expression of loops: \[x\]"),
        ("a = f4(1) + f8(1)", "beside"),
        ("a = x[0]", "x is no pointer"),
        ("p = argument_f4(x)\np[0] = f8(1)", "is wanted"),
        ("a = where(x > 0, 1, 2)", "need a type"),
    ],
)
def test_what_is_not_in_the_language_is_refused(body: str, error: str) -> None:
    with pytest.raises(TypeError, match=error):
        translation.translate(
            f"def main(x, y):\n    {body.replace(chr(10), chr(10) + '    ')}\n    return 0",
            {"main": [NUMBERS["i8"]] * 2},
        )


def test_simple_loops_are_vectorised() -> None:
    text = (
        "@nest\ndef add(n, x, y, z, w):\n    for i in range(n):\n        w[i] = x[i] * y[i] + z[i]\n\n\n"
        "def main(x, y, z, w):\n    add(1000, argument_f4(x), argument_f4(y), argument_f4(z), argument_f4(w))\n"
        "    return 0"
    )
    assert " x float>" in str(optimised(text, {"main": [INTEGER] * 4}, None))


# machine code that is kept

TEXT = "def main(n):\n    return n + 1\n"


def test_compiled_code_is_read_from_the_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = functions(TEXT, {"main": [INTEGER]}, None)["main"]
    assert first(1) == 2 and [path.suffix for path in folder.iterdir()] == [".o"]
    monkeypatch.setattr(machine_code, "_loaded", {})
    monkeypatch.setattr(machine_code, "compiled", None)  # cannot be called
    assert functions(TEXT, {"main": [INTEGER]}, None)["main"](41) == 42


def test_another_text_is_another_file(folder: Path) -> None:
    functions(TEXT, {"main": [INTEGER]}, None)
    functions(TEXT.replace("1", "2"), {"main": [INTEGER]}, None)
    assert len(list(folder.iterdir())) == 2


def test_a_damaged_file_is_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    functions(TEXT, {"main": [INTEGER]}, None)
    path = next(folder.iterdir())
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(machine_code, "_loaded", {})
    assert functions(TEXT, {"main": [INTEGER]}, None)["main"](1) == 2
    assert not path.read_bytes().endswith(b"?")


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("BYHAND_CACHE", str(blocked))
    monkeypatch.setattr(machine_code, "_loaded", {})
    assert functions(TEXT.replace("1", "7"), {"main": [INTEGER]}, None)["main"](1) == 8
    assert cache.write("key", b"x") is False


@pytest.mark.parametrize(
    "variables, end",
    [({"BYHAND_CACHE": "/a"}, "/a/loops"), ({"XDG_CACHE_HOME": "/b"}, "/b/byhand/loops"), ({}, "byhand/loops")],
)
def test_where_the_cache_is(variables: dict[str, str], end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BYHAND_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.folder().as_posix().endswith(end)


def test_numpys_blas_is_found_and_called() -> None:
    blas = numpys_blas()
    if blas is None:
        pytest.skip("NumPy hides its BLAS here")
    a, b, c = np.arange(6, dtype="f4").reshape(2, 3), np.ones((3, 4), "f4"), np.zeros((2, 4), "f4")
    text = (
        "def main(a, b, c):\n    gemm_f4(0, 0, 2, 4, 3, f4(2), argument_f4(a), 3, argument_f4(b), 4, f4(0), "
        "argument_f4(c), 4)\n    return 0\n"
    )
    functions(text, {"main": [INTEGER] * 3}, blas)["main"](id(a), id(b), id(c))
    np.testing.assert_array_equal(c, 2 * a @ b)


def test_without_llvm_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['llvmlite'] = None\n"
        "from byhand.core.errors import UsageError\n"
        "from byhand.program.loops.machine_code import functions\n"
        "try:\n    functions('', {}, None)\n"
        "except UsageError as error:\n    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ}, check=True
    )
    assert "pip install 'byhand[fast]'" in run.stdout
    assert issubclass(UsageError, ValueError)


def test_small_numbers_are_flushed_and_exact_again() -> None:
    x, y = np.array([1e-30], np.float32), np.zeros(3, np.float32)
    kernel(
        "p = argument_f4(x)\nq = argument_f4(y)\nq[0] = p[0] * f4(1e-10)\nsmall = flush()\nq[1] = p[0] * f4(1e-10)\n"
        "restore(small)\nq[2] = p[0] * f4(1e-10)"
    )(id(x), id(y))
    assert y[0] == y[2] == np.float32(1e-30) * np.float32(1e-10) > 0
    if platform.machine().lower() in ("x86_64", "amd64", "aarch64", "arm64"):
        assert y[1] == 0
    assert (x * np.float32(1e-10))[0] > 0  # here, too
