"""Arrays put together of parts: which parts are apart, and that what is covered is not filled before."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.nn import functional as F
from byhand.ops import convolution
from byhand.program.loops import convolutions
from byhand.program.loops.terms import NUMBERS
from byhand.program.loops.translation import translate
from byhand.program.parts import _size, apart, box_of

QUARTERS = [(..., slice(i, 6, 2), slice(j, 6, 2)) for i in (0, 1) for j in (0, 1)]


def test_parts_may_stand_between_each_other():
    boxes = [box_of((3, 6, 6), index) for index in QUARTERS]
    assert all(apart(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert sum(map(_size, boxes)) == 3 * 6 * 6
    assert not apart(boxes[0], box_of((3, 6, 6), (..., slice(0, 6, 3), slice(0, 6, 2))))
    assert not apart(boxes[0], box_of((3, 6, 6), (0, slice(2, 3), slice(0, 1))))
    assert apart(boxes[0], box_of((3, 6, 6), (0, slice(5, 6))))


@pytest.mark.parametrize("dialect", ["planned", "loops"])
def test_products_are_computed_where_they_are_put(monkeypatch, dialect):
    if dialect == "loops":
        pytest.importorskip("llvmlite")
    monkeypatch.setattr(convolution, "SMALL", 0)
    monkeypatch.setattr(convolution, "PART", 1)
    monkeypatch.setattr(convolutions, "PART", 1)
    x, w = byhand.randn(9, 4, 6, 6), byhand.randn(5, 4, 3, 3)
    step = byhand.compile(lambda w: F.conv2d(x, w) * 2, dialect=dialect)
    expected = F.conv2d(x, w) * 2
    for _ in range(2):
        np.testing.assert_allclose(step(w).array, expected.array, rtol=1e-5, atol=1e-5)
    text = step.text(dialect)
    if dialect == "planned":
        assert text.count(" dot(") == 9
        assert sum(":" in line.partition(" = ")[0] for line in text.splitlines() if "] = " in line) <= 1
    else:
        assert text.count("for step in range(9):") == text.count("gemm_f4(") == 1


def test_gradients_of_slices_are_one_array():
    x = byhand.randn(2, 3, 6).requires_grad_()

    @byhand.compile(dialect="planned")
    def step(y):
        a, b, c = (x * y).split(2, dim=2)
        return byhand.autograd.grad((a * b * c).sum(), x)[0]

    y = byhand.randn(2, 3, 6)
    a, b, c = (x.detach() * y).split(2, dim=2)
    expected = byhand.cat([b * c, a * c, a * b], dim=2) * y
    for _ in range(2):
        np.testing.assert_allclose(step(y).array, expected.array, rtol=1e-5, atol=1e-6)
    text = step.text("planned")
    assert " add(" not in text and "copyto" not in text and "= np.float32(0.0)" not in text


def test_arrays_of_zeros_are_filled_each_for_itself():
    step = byhand.compile(lambda x, y: F.pad(x, (1, 1)) * F.pad(y, (1, 1)), dialect="planned")
    x, y = byhand.randn(300, 298), byhand.randn(300, 298)
    assert step(x, y).equal(F.pad(x * y, (1, 1)))
    assert step.text("lowered").count("copy(") == 2  # to copy one for the other would cost more


def test_long_loops_stay_loops():
    source = "@nest\ndef nest_1(p):\n    for i in range({}):\n        p[i] = f4(0)\n\n\n"
    source += "def kernel_1(table):\n    p = pointer_f4(table, 0)\n    nest_1(p)\n    return 0\n"
    entries = {"kernel_1": [NUMBERS["i8"]]}
    assert "llvm.loop.unroll.disable" in translate(source.format(16), entries)
    assert "llvm.loop.unroll.disable" not in translate(source.format(3), entries)


def test_the_backward_pass_copies_windows_again():
    w = byhand.randn(5, 4, 3, 3).requires_grad_()

    @byhand.compile(dialect="planned")
    def step(x):
        y = F.conv2d(x, w)
        return byhand.autograd.grad((y * y).sum(), w)[0]

    step(byhand.randn(9, 4, 6, 6))
    lines = step.text("lowered").replace(" ", "").splitlines()
    copies = [line for line in lines if "copy(" in line and "3,3,4]" in line]
    assert len(copies) == 2
