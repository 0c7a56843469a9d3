from __future__ import annotations

import numpy as np
import pytest

from byhand.bench.contenders import products_step
from byhand.bench.networks import NETWORKS
from byhand.bench.products import products_alone
from byhand.program.ir import ARGUMENT, Node, Program, Value, verify
from byhand.program.primitives import MATMUL, TRANSPOSE, elementwise

F32 = np.dtype(np.float32)


@pytest.fixture
def program():
    """h = x W, y = exp(h), g = hᵀ y in Fortran's order, and s = 1 y, a sum over rows."""
    x, w = Value((5, 3), F32, origin=ARGUMENT, name="x"), Value((3, 4), F32, (1, 0), ARGUMENT, "w")
    h, y, turned, g = Value((5, 4), F32), Value((5, 4), F32), Value((4, 5), F32, (1, 0)), Value((4, 4), F32, (1, 0))
    ones, s = Value((5,), F32, origin=ARGUMENT, name="ones"), Value((4,), F32)
    nodes = [
        Node(MATMUL, (x, w), {}, (h,)),
        Node(elementwise(np.exp), (h,), {}, (y,)),
        Node(TRANSPOSE, (h,), {"axes": (1, 0)}, (turned,)),
        Node(MATMUL, (turned, y), {}, (g,)),
        Node(MATMUL, (ones, y), {}, (s,)),
    ]
    return verify(Program(arguments=[x, w, ones], nodes=nodes, outputs=[g, s]))


@pytest.fixture
def calls(program, monkeypatch):
    """The operands of the products that are run."""
    seen = []

    def watched(x, y, out):
        seen.append((x, y, out))
        return np.matmul(x, y, out)

    for node in program.nodes:
        if node.op is MATMUL:
            node.op = type(MATMUL)("matmul", "product", watched)
    return seen


def test_runs_the_products_of_matrices_and_nothing_else(program, calls):
    products_alone(program)()
    assert [(x.shape, y.shape, out.shape) for x, y, out in calls] == [
        ((5, 3), (3, 4), (5, 4)),
        ((4, 5), (5, 4), (4, 4)),
    ]
    for x, y, out in calls:
        np.testing.assert_allclose(out, x @ y, rtol=1e-5, atol=1e-6)


def test_layouts_are_those_of_the_program(program, calls):
    products_alone(program)()
    (x, w, h), (turned, _, g) = calls
    assert x.flags.c_contiguous and w.flags.f_contiguous and g.flags.f_contiguous and turned.flags.f_contiguous
    assert np.shares_memory(turned, h), "what is a view of the same memory there is one here"
    assert all(array.ctypes.data % 64 == 0 for call in calls for array in call)


def test_numbers_are_ordinary(program, calls):
    products_alone(program)()
    (x, w, _), _ = calls
    assert 0.2 < np.std(x) < 3 and 0.2 < np.std(w) < 3, "zeros or denormals would take another time"


@pytest.mark.parametrize("network", NETWORKS, ids=[network.name for network in NETWORKS])
def test_a_network_has_its_products(network):
    step = products_step(network)
    step()
    calls = next(cell.cell_contents for cell in step.__closure__ if isinstance(cell.cell_contents, list))
    layers = len(network.sizes) - 1
    assert len(calls) == 3 * layers - 1, "forward, weights, and inputs but for the first layer's"
