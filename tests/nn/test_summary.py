from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

import byhand
from byhand.core.errors import ShapeError, UsageError
from byhand.core.generator import default_generator, manual_seed
from byhand.nn.container import Sequential
from byhand.nn.module import Module
from byhand.nn.summary import summary
from nn.specimens import Affine, Net, Scale


def test_the_table_in_full():
    net = Sequential(Affine(784, 30), Scale(), Affine(30, 10))
    net[2].requires_grad_(False)
    assert str(net.summary((50, 784))) == (
        "module   layer             output    parameters\n"
        "───────────────────────────────────────────────\n"
        "(model)  Sequential        (50, 10)           –\n"
        "0        Affine(784 → 30)  (50, 30)      23,550\n"
        "1        Scale             (50, 30)           –\n"
        "2        Affine(30 → 10)   (50, 10)         310\n"
        "───────────────────────────────────────────────\n"
        "23,860 parameters, 23,550 of them trainable, 93.2 KiB"
    )


def test_without_an_input_there_are_no_outputs():
    table = summary(Net())
    assert "output" not in str(table)
    assert table.parameters == 15 + 9 + 8
    assert table.trainable == table.parameters
    assert table.buffers == 5
    assert table.bytes == 4 * (32 + 5)
    assert "5 values in buffers" in table.total()
    assert table.rows[1].output is None


@pytest.mark.parametrize("example", [byhand.ones(2, 4), np.ones((2, 4), np.float32)], ids=["Tensor", "array"])
def test_an_example_instead_of_a_size(example):
    assert summary(Net(), example).rows[0].output == (2, 2)
    assert summary(Net(), example=example).rows[0].output == (2, 2)
    assert summary(Net(), example=(example,)).rows[0].output == (2, 2)


def test_shared_parameters_count_once():
    layer = Affine(2, 2)
    holder = Module()
    holder.first, holder.again = layer, Affine(2, 2)
    holder.again.weight = layer.weight
    holder.again.bias = layer.bias
    table = summary(holder)
    assert [row.parameters for row in table.rows] == [0, 6, 0]
    assert table.parameters == 6 == sum(p.numel() for p in holder.parameters())
    assert "shared" in str(table)


def test_several_inputs_and_outputs_and_calls():
    class Two(Module):
        def __init__(self):
            super().__init__()
            self.scale = Scale()
            self.idle = Scale()

        def forward(self, x, index):
            assert index.dtype == np.int64
            return {"scaled": self.scale(self.scale(x)), "both": (x, index)}

    table = summary(Two(), [(2, 3), (4,)], dtype=np.int64)
    assert table.rows[0].output == {"scaled": (2, 3), "both": [(2, 3), (4,)]}
    text = str(table)
    assert "scaled: (2, 3), both: (2, 3), (4,)" in text
    assert "(2, 3) ×2" in text
    assert "not run" in text


def test_the_model_is_left_as_it_was():
    class Noisy(Net):
        def forward(self, x):
            assert not self.training
            assert not byhand.is_grad_enabled()
            default_generator.numpy.random(3)
            return super().forward(x)

    net = Noisy()
    net.body.eval()
    modes = [m.training for m in net.modules()]
    manual_seed(3)
    state = default_generator.get_state()
    summary(net, (2, 4))
    assert [m.training for m in net.modules()] == modes
    assert default_generator.get_state() == state


def test_a_model_that_fails_is_left_as_it_was_too():
    net = Sequential({"fc1": Affine(4, 3)})
    with pytest.raises(ShapeError, match=r"model\.fc1: Affine"):
        summary(net, (2, 5))
    assert all(m.training for m in net.modules())
    assert not any(m._hooks for m in net.modules())


def test_rich_prints_the_same_cells():
    table = summary(Net(), (2, 4))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table)
    text = console.export_text()
    for cell in ["fc1", "Affine(4 → 3)", "(2, 3)", "15", table.total()]:
        assert cell in text


def test_an_input_is_a_shape_or_an_example():
    with pytest.raises(UsageError, match=r"a shape with its batch axis, as \(50, 784\)"):
        summary(Net(), 784)
    with pytest.raises(UsageError, match="not both"):
        summary(Net(), (2, 4), example=byhand.ones(2, 4))


def test_memory_in_the_unit_that_fits():
    assert summary(Scale()).total() == "0 parameters, 0 bytes"
    assert summary(Affine(1, 1)).total() == "2 parameters, 8 bytes"
    assert summary(Affine(1024, 1024)).total().endswith("4.0 MiB")
