"""Files of PyTorch read here, and files of ours read by PyTorch."""

from __future__ import annotations

import collections
import io
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand.core.errors import CheckpointError  # noqa: E402

DTYPES = [
    "float64",
    "float32",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
    "complex64",
    "complex128",
]
WIDE = ["uint16", "uint32", "uint64"]


def from_torch(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return byhand.load(io.BytesIO(file.getvalue()))


def to_torch(value):
    file = io.BytesIO()
    byhand.save(value, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=True)


def same(ours, theirs):
    """The same tree: types, order of keys, values, dtypes and shapes."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, byhand.Tensor)
        assert ours.requires_grad == theirs.requires_grad
        assert isinstance(ours, byhand.nn.Parameter) == isinstance(theirs, torch.nn.Parameter)
        reference = theirs.detach().resolve_conj().numpy()
        assert ours.detach().numpy().dtype == reference.dtype
        np.testing.assert_array_equal(ours.detach().numpy(), reference)
    elif isinstance(theirs, dict):
        assert type(ours) in (dict, type(theirs)) and isinstance(ours, dict)
        assert list(ours) == list(theirs)
        for key in theirs:
            same(ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for x, y in zip(ours, theirs, strict=True):
            same(x, y)
    else:
        assert type(ours) is type(theirs) and ours == theirs


def network(library):
    nn = library.nn
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.mark.parametrize("name", DTYPES + WIDE)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_every_dtype_goes_both_ways(name, shape):
    array = np.asarray(np.random.default_rng(0).normal(size=shape) * 100).astype(name)
    theirs = torch.from_numpy(array)
    same(from_torch(theirs), theirs)
    ours = byhand.from_numpy(array)
    same(ours, to_torch(ours))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_go_both_ways(protocol):
    tree = {
        "epoch": 3, "lr": 0.1, "name": "härte", "none": None, "flags": [True, False], "betas": (0.9, 0.999),
        "big": -(2**80), "negative": -5, "empty": {}, 7: {"nested": [(), []]}, "inf": float("inf"),
        "bytes": b"\x00\xff",
        "counts": collections.Counter({30: 1, 80: 2}), "set": {1, 2},
        "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
    }  # fmt: skip
    assert from_torch(tree, pickle_protocol=protocol) == tree
    with torch.serialization.safe_globals([collections.Counter]):
        assert to_torch(tree) == tree


def test_values_of_pytorch_and_numpy():
    tree = {
        "size": torch.Size([2, 3]), "device": torch.device("cuda:1"), "dtype": torch.float16, "scalar": np.float64(1.5),
        "array": np.arange(6.0).reshape(2, 3), "int": np.int64(3), "bytearray": bytearray(b"\x00\xff"),
    }  # fmt: skip
    found = from_torch(tree)
    assert found["size"] == (2, 3)
    assert found["bytearray"] == tree["bytearray"]
    assert found["device"] == byhand.device("cpu")
    assert found["dtype"] == byhand.float16
    assert found["scalar"] == 1.5 and found["int"] == 3
    np.testing.assert_array_equal(found["array"], tree["array"])
    again = to_torch({"dtype": byhand.float16, "device": byhand.device("cpu"), "scalar": np.float64(1.5)})
    assert again == {"dtype": torch.float16, "device": torch.device("cpu"), "scalar": 1.5}


def test_bfloat16_becomes_float32():
    theirs = torch.randn(5, 3).to(torch.bfloat16)
    ours = from_torch({"w": theirs, "view": theirs[1:]})
    np.testing.assert_array_equal(ours["w"].numpy(), theirs.float().numpy())
    ours["w"][1, 0] = 7.0
    assert ours["view"][0, 0].item() == 7.0


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.t(), lambda x: x[1:, ::2], lambda x: x[:, 1], lambda x: x.reshape(-1)[3:], lambda x: x[2:2],
        lambda x: x.unsqueeze(0).expand(4, -1, -1), lambda x: x[3, 5], lambda x: x.reshape(2, 2, 6).permute(2, 0, 1),
    ],
)  # fmt: skip
def test_views_of_a_storage_are_read_and_shared(view):
    x = torch.arange(24.0).reshape(4, 6)
    ours = from_torch({"x": x, "view": view(x)})
    same(ours["view"], view(x))
    x += 1
    ours["x"].add_(1)
    same(ours["view"], view(x))


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T, lambda x: x[1:, ::2], lambda x: x[:, 1], lambda x: x.reshape(-1)[3:], lambda x: x[2:2],
        lambda x: x[3, 5], lambda x: x.reshape(2, 2, 6).permute(2, 0, 1), lambda x: x[0].expand(3, 6),
        lambda x: byhand.flip(x, (0,)),
    ],
)  # fmt: skip
def test_views_are_written(view):
    x = byhand.arange(24.0).reshape(4, 6)
    found = to_torch({"view": view(x), "x": x})
    same(view(x), found["view"])
    same(x, found["x"])


def test_shared_memory_is_written_once_and_only_what_is_needed():
    x = byhand.zeros(1000, 10)
    found = to_torch({"whole": x, "row": x[3], "again": x})
    found["whole"].fill_(1)
    assert found["row"].sum() == 10 and found["again"].sum() == 10_000
    file = io.BytesIO()
    byhand.save([x[3], x[5:8, 0], x], file)
    assert len(file.getvalue()) < 45_000
    small = io.BytesIO()
    byhand.save({"row": x[3], "column": x[:, 3]}, small)
    assert len(small.getvalue()) < 8_000


def test_parameters_stay_parameters_and_tied_weights_tied():
    theirs = torch.nn.Parameter(torch.ones(2, 3))
    frozen = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    tracked = torch.ones(2, requires_grad=True)
    value = {"w": theirs, "tied": theirs, "frozen": frozen, "tracked": tracked}
    found = from_torch(value)
    same(found, value)
    assert found["w"] is found["tied"]
    again = to_torch(found)
    same(found, again)
    with byhand.no_grad():
        found["w"].fill_(2.0)
    assert again["w"].data_ptr() == again["tied"].data_ptr()


def test_weights_and_optimizer_states_go_both_ways():
    ours, theirs = network(byhand).double(), network(torch).double()
    x = np.random.default_rng(0).normal(size=(5, 3))

    def trained(library, model, optimizer, steps=3):
        for _ in range(steps):
            optimizer.zero_grad()
            (model(library.tensor(x)) ** 2).sum().backward()
            optimizer.step()

    reference = torch.optim.Adam(theirs.parameters(), lr=0.01)
    trained(torch, theirs, reference)
    file = io.BytesIO()
    torch.save({"model": theirs.state_dict(), "optimizer": reference.state_dict(), "epoch": 3}, file)
    checkpoint = byhand.load(io.BytesIO(file.getvalue()), map_location="cpu", weights_only=True)
    optimizer = byhand.optim.Adam(ours.parameters(), lr=0.01)
    assert repr(ours.load_state_dict(checkpoint["model"])) == "<All keys matched successfully>"
    optimizer.load_state_dict(checkpoint["optimizer"])
    trained(byhand, ours, optimizer)
    trained(torch, theirs, reference)
    close(ours, theirs)
    saved = to_torch({"model": ours.state_dict(), "optimizer": optimizer.state_dict()})
    back = network(torch).double()
    continued = torch.optim.Adam(back.parameters(), lr=0.01)
    back.load_state_dict(saved["model"])
    continued.load_state_dict(saved["optimizer"])
    trained(torch, back, continued)
    trained(byhand, ours, optimizer)
    close(ours, back)


def close(ours, theirs):
    for (key, x), (name, y) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert key == name
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-6, atol=1e-9)


def test_files_by_their_path(tmp_path):
    theirs = network(torch)
    for name in ("weights.pt", "weights.pth"):
        torch.save(theirs.state_dict(), tmp_path / name)
        same(byhand.load(str(tmp_path / name)), theirs.state_dict())
        byhand.save(byhand.load(tmp_path / name), tmp_path / f"ours-{name}")
        for options in ({}, {"mmap": True}):
            found = torch.load(tmp_path / f"ours-{name}", weights_only=True, **options)
            assert all(torch.equal(found[key], value) for key, value in theirs.state_dict().items())


def test_safetensors_go_both_ways(tmp_path):
    from safetensors.torch import load_file, save_file

    state = {**network(torch).state_dict(), "half": torch.ones(3).to(torch.bfloat16) / 3}
    save_file(state, tmp_path / "theirs.safetensors")
    ours = byhand.load(tmp_path / "theirs.safetensors")
    np.testing.assert_array_equal(ours["half"].numpy(), state["half"].float().numpy())
    byhand.save(ours, tmp_path / "ours.safetensors")
    found = load_file(tmp_path / "ours.safetensors")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key].to(found[key].dtype)) for key in state)


class Custom(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: torch.nn.Linear(2, 2), r"asks for torch\.nn\.modules\.linear\.Linear.*save its state_dict\(\)"),
        (Custom, r"asks for .*test_interop\.Custom.*torch\.load\(path, weights_only=False\)\.state_dict\(\)"),
        (lambda: torch.ones(3).to_sparse(), r"torch\._utils\._rebuild_sparse_tensor"),
        (lambda: torch.ones(2).to(torch.float8_e5m2), "float8"),
        (lambda: {"function": np.sum}, "sum"),
    ],
)
def test_what_is_no_tensor_is_refused_by_name(make, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = make()
    with pytest.raises(CheckpointError, match=f"the file was refused: .*{message}"):
        from_torch(value)


def test_files_of_other_kinds_are_named():
    scripted = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), scripted)
    with pytest.raises(CheckpointError, match="TorchScript archive"):
        byhand.load(io.BytesIO(scripted.getvalue()))


def test_the_format_before_version_1_6():
    model = network(torch)
    x = torch.arange(6.0).to(torch.bfloat16)
    tree = {"model": model.state_dict(), "w": model[0].weight, "t": model[0].weight.detach().t(), "n": [1, (2,)]}
    legacy = {"_use_new_zipfile_serialization": False}
    same(from_torch(tree, **legacy), tree)
    np.testing.assert_array_equal(from_torch([x[1:3]], **legacy)[0].numpy(), [1.0, 2.0])
    file = io.BytesIO()
    torch.save(tree, file, **legacy)
    for end in range(0, len(file.getvalue()), 101):
        with pytest.raises(CheckpointError):
            byhand.load(io.BytesIO(file.getvalue()[:end]))
    with pytest.raises(CheckpointError, match=r"refused: it asks for torch\.nn\.modules\.linear\.Linear"):
        from_torch(torch.nn.Linear(1, 1), **legacy)


def test_a_prefix_that_a_wrapper_added_is_named():
    state = {f"module.{key}": value for key, value in network(torch).state_dict().items()}
    ours = network(byhand)
    with pytest.raises(CheckpointError, match=r"all names begin with 'module\.': \{k\.removeprefix"):
        ours.load_state_dict(from_torch(state))
    with pytest.raises(CheckpointError, match=r"'model' holds the model's state: load_state_dict\(state\['model'\]\)"):
        ours.load_state_dict(from_torch({"model": network(torch).state_dict(), "epoch": 1}))


@pytest.mark.parametrize("name", ["load", "save"])
def test_the_arguments_are_those_of_pytorch(name):
    import inspect

    ours = inspect.signature(getattr(byhand, name)).parameters
    theirs = inspect.signature(getattr(torch, name)).parameters
    assert [*ours] == [p for p in theirs if p != "_disable_byteorder_record"]
