from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import UsageError
from byhand.train import architecture
from byhand.train.architecture import Destandardize, Standardize, build, model_and_dataset
from byhand.train.model_file import ModelFileError, from_file, split_file_spec


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def test_networks_by_name() -> None:
    model = build("mlp:30,20", (1, 8, 8), 10, activation="tanh", dropout=0.1)
    assert shapes(model)["fc1.weight"] == (30, 64) and shapes(model)["fc3.weight"] == (10, 20)
    names = [name for name, _ in model.named_children()]
    assert names == ["flatten", "fc1", "tanh1", "dropout1", "fc2", "tanh2", "dropout2", "fc3"]
    assert model(byhand.zeros(5, 1, 8, 8)).shape == (5, 10)
    assert shapes(build("softmax", (2,), 3)) == {"fc1.weight": (3, 2), "fc1.bias": (3,)}


@pytest.mark.parametrize(
    ("spec", "shape", "scores"),
    [
        ("lenet", (1, 28, 28), (2, 10)),
        ("lenet", (3, 16, 20), (2, 10)),
        ("resnet:4,8", (3, 12, 12), (2, 10)),
        ("rnn:7", (9,), (2, 10, 9)),
        ("lstm:7,2", (9,), (2, 10, 9)),
        ("gru", (9,), (2, 10, 9)),
        ("gpt:8,1,2", (9,), (2, 10, 9)),
    ],
)
def test_models_by_name(spec: str, shape: tuple[int, ...], scores: tuple[int, ...]) -> None:
    x = byhand.zeros(2, *shape, dtype=byhand.float32 if len(shape) == 3 else byhand.int64)
    assert build(spec, shape, 10)(x).shape == scores


def test_models_that_do_not_fit() -> None:
    for spec, shape, words in (
        ("lenet", (9,), r"lenet looks at images"),
        ("gpt", (1, 8, 8), r"gpt reads text"),
        ("lstm:1,2,3", (9,), r"more sizes than the 2"),
        ("resnet:a", (3, 8, 8), r"cannot read the sizes"),
    ):
        with pytest.raises(UsageError, match=words):
            build(spec, shape, 10)
    with pytest.raises(UsageError, match=r"leave those options out"):
        build("lenet", (1, 28, 28), 10, activation="tanh")
    with pytest.raises(UsageError, match=r"resnet has no dropout"):
        build("resnet", (3, 8, 8), 10, dropout=0.1)


def test_a_model_and_a_dataset_on_the_command_line() -> None:
    assert model_and_dataset([]) == (None, "digits")
    assert model_and_dataset(["moons"]) == (None, "moons")
    assert model_and_dataset(["lenet"]) == ("lenet", "mnist")
    assert model_and_dataset(["mlp:4"]) == ("mlp:4", "digits")
    assert model_and_dataset(["gpt:64,2,2"]) == ("gpt:64,2,2", "tiny_shakespeare")
    assert model_and_dataset(["net.py:build", "moons"]) == ("net.py:build", "moons")
    with pytest.raises(UsageError, match=r"'moons' is no model"):
        model_and_dataset(["moons", "lenet"])
    with pytest.raises(UsageError, match=r"a model and a dataset"):
        model_and_dataset(["lenet", "mnist", "cifar10"])


@pytest.mark.parametrize("spec", ["mlp", "mlp:", "mlp:a", "mlp:0", "mlp:3,-1", "cnn:3", "linear:3", ""])
def test_a_text_that_is_no_model(spec: str) -> None:
    with pytest.raises(UsageError, match="mlp:30"):
        build(spec, (2,), 2)


def test_unknown_options() -> None:
    with pytest.raises(UsageError, match="no activation 'rely'; choose from relu"):
        build("mlp:3", (2,), 2, activation="rely")
    with pytest.raises(UsageError, match="no init 'x'"):
        build("mlp:3", (2,), 2, init="x")


@pytest.mark.parametrize("activation", architecture.ACTIVATIONS)
def test_every_activation_can_be_built(activation: str) -> None:
    assert build("mlp:3", (2,), 2, activation=activation)(byhand.ones(1, 2)).shape == (1, 2)


def test_inits() -> None:
    byhand.manual_seed(0)
    weight, bias = build("mlp:400", (400,), 2, init="normal")[0].parameters()
    assert weight.array.std() == pytest.approx(1, rel=0.02) and bias.array.std() == pytest.approx(1, rel=0.1)
    weight, bias = build("mlp:400", (400,), 2, init="he")[0].parameters()
    assert weight.array.std() == pytest.approx((2 / 400) ** 0.5, rel=0.02) and not bias.array.any()
    weight, _ = build("mlp:400", (400,), 2, init="xavier")[0].parameters()
    assert np.abs(weight.array).max() <= (6 / 800) ** 0.5
    assert not build("mlp:4", (4,), 2, init="zeros")[0].weight.array.any()


def test_standardizing() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 3)) * [1, 10, 0] + [5, -7, 2]).astype(np.float32)
    layer = Standardize.like(x)
    z = layer(byhand.tensor(x)).array
    assert z.mean(0) == pytest.approx(0, abs=1e-5) and z.std(0) == pytest.approx([1, 1, 0], abs=1e-5)
    again = Standardize.blank((3,))
    again.load_state_dict(layer.state_dict())
    assert np.array_equal(again(byhand.tensor(x)).array, z)
    assert Destandardize.like(x)(byhand.tensor(z)).array == pytest.approx(x, rel=1e-4)
    images = rng.random((4, 1, 5, 5)).astype(np.float32)
    assert Standardize.like(images).mean.shape == () == Standardize.blank((1, 5, 5)).mean.shape


def written(folder: Path, text: str) -> Path:
    path = folder / "net.py"
    path.write_text(text)
    return path


GOOD = """
from byhand import nn
import sibling

def build(input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[-1], sibling.HIDDEN), nn.Linear(sibling.HIDDEN, classes))

def plain():
    return nn.Linear(4, 2)

def number():
    return 3

def broken():
    return nn.Lineer(4, 2)
"""


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "sibling.py").write_text("HIDDEN = 7")
    path = written(tmp_path, GOOD)
    assert shapes(from_file(path, "build", (4,), 3))["1.weight"] == (7, 4)
    assert shapes(from_file(path, "plain", (4,), 2))["weight"] == (2, 4)
    with pytest.raises(UsageError, match=r"should return an nn\.Module, it returned int"):
        from_file(path, "number", (4,), 2)
    with pytest.raises(UsageError, match="no function 'bild'; it has build, plain, number, broken"):
        from_file(path, "bild", (4,), 2)
    with pytest.raises(ModelFileError, match=r"net\.py, line 15, in broken: return nn\.Lineer\(4, 2\): AttributeError"):
        from_file(path, "broken", (4,), 2)


def test_a_file_with_a_mistake_shows_the_line(tmp_path: Path) -> None:
    path = written(tmp_path, "x = 1\ndef build(:\n")
    with pytest.raises(ModelFileError, match=r"net\.py, line 2: def build\(:: SyntaxError"):
        from_file(path, "build", (4,), 2)
    path = written(tmp_path, "import nothing_like_this\n")
    with pytest.raises(ModelFileError, match="line 1, in <module>: import nothing_like_this"):
        from_file(path, "build", (4,), 2)


def test_a_file_and_its_function(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert architecture.is_file_spec(f"{path}:build") and not architecture.is_file_spec("mlp:30")
    assert split_file_spec(f"{path}:build") == (path, "build")
    with pytest.raises(UsageError, match="no file"):
        split_file_spec("nothing.py:build")
    assert architecture.is_file_spec("net.py")
    with pytest.raises(UsageError, match=r"net\.py:build"):
        split_file_spec("net.py")
