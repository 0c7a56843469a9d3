"""Module and its containers beside PyTorch's: the same names, orders and printed forms for the same program."""

from __future__ import annotations

import types

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from byhand.nn import container, utils  # noqa: E402
from byhand.nn.module import Module  # noqa: E402
from byhand.nn.parameter import Buffer, Parameter  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402

OURS = types.SimpleNamespace(
    Module=Module,
    Parameter=lambda a, requires_grad=True: Parameter(Tensor(np.array(a)), requires_grad),
    Buffer=lambda a: Buffer(Tensor(np.array(a))),
    tensor=lambda a: Tensor(np.array(a)),
    **{name: getattr(container, name) for name in container.__all__},
)
THEIRS = types.SimpleNamespace(
    Module=torch.nn.Module,
    Parameter=lambda a, requires_grad=True: torch.nn.Parameter(torch.tensor(a), requires_grad),
    Buffer=lambda a: torch.nn.Buffer(torch.tensor(a)),
    tensor=torch.tensor,
    **{name: getattr(torch.nn, name) for name in container.__all__},
)
RNG = np.random.default_rng(0)
W = [RNG.standard_normal((3, 3)) for _ in range(8)]


def affine(nn, w, bias=True):
    class Affine(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(w)
            if bias:
                self.bias = nn.Parameter(w[0])
            else:
                self.register_parameter("bias", None)

        def forward(self, x):
            out = x @ self.weight.T
            return out if self.bias is None else out + self.bias

        def extra_repr(self):
            return f"size={w.shape[0]}, bias={bias}"

    return Affine()


def plain(nn):
    net = nn.Sequential(affine(nn, W[0]), affine(nn, W[1], bias=False))
    net.register_buffer("steps", nn.tensor(np.zeros(2)))
    net.register_buffer("passing", nn.tensor(np.zeros(2)), persistent=False)
    net.scale = nn.Parameter(W[2])
    return net


def emptied(nn):
    net = plain(nn)
    net.head = affine(nn, W[3])
    net.tail = affine(nn, W[4])
    net.head = None
    net.tail.bias = None
    net.tail.bias = nn.Parameter(W[4][1])
    net.late = None
    net.late = nn.Parameter(W[3])
    net.steps = None
    return net


def replaced(nn):
    net = nn.Module()
    net.a = affine(nn, W[0])
    net.b = nn.Parameter(W[1])
    net.c = affine(nn, W[2])
    net.a = nn.Sequential()
    net.b = nn.Parameter(W[3])
    net.kept = nn.Buffer(W[4])
    net.c = nn.Parameter(W[5])
    del net.kept
    net.kept = nn.Parameter(W[6])
    net.tensor = nn.tensor(W[7])
    return net


def tied(nn):
    net = nn.Module()
    net.one = affine(nn, W[0])
    net.two = net.one
    net.three = affine(nn, W[1])
    net.three.weight = net.one.weight
    return net


def listed(nn):
    net = nn.Module()
    net.layers = nn.ModuleList([affine(nn, W[i % 2]) for i in range(3)])
    net.layers.insert(1, nn.Sequential(affine(nn, W[2])))
    net.layers.append(affine(nn, W[3], bias=False))
    del net.layers[0]
    net.layers.extend(net.layers[-1:])
    net.layers += [affine(nn, W[4])]
    return net


def keyed(nn):
    net = nn.ModuleDict({"b": affine(nn, W[0]), "a": affine(nn, W[1])})
    net["c"] = affine(nn, W[2])
    net["b"] = affine(nn, W[3])
    net.pop("a")
    return net


def sequenced(nn):
    net = nn.Sequential()
    net.append(affine(nn, W[0])).extend([affine(nn, W[1]), affine(nn, W[2])])
    net.insert(1, affine(nn, W[3]))
    net = net[1:] + nn.Sequential(affine(nn, W[4]))
    net.pop(0)
    net[0] = affine(nn, W[5])
    return net


def parametrised(nn):
    net = nn.Module()
    net.list = nn.ParameterList([nn.Parameter(W[0]), nn.tensor(W[1]), 3])
    net.list.append(nn.Parameter(W[2], requires_grad=False))
    net.dict = nn.ParameterDict({"b": nn.Parameter(W[3]), "a": nn.tensor(W[4])})
    net.dict["0"] = nn.Parameter(W[5])
    del net.dict["b"]
    return net


PROGRAMS = [plain, emptied, replaced, tied, listed, keyed, sequenced, parametrised]


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.__name__)
def pair(request):
    return request.param(OURS), request.param(THEIRS)


def test_names_and_orders(pair):
    ours, theirs = pair
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for walk in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(ours, walk)()] == [n for n, _ in getattr(theirs, walk)()], walk
    for walk in ("named_parameters", "named_buffers", "named_modules"):
        for options in ({"prefix": "p"}, {"remove_duplicate": False}):
            names = [n for n, _ in getattr(ours, walk)(**options)]
            assert names == [n for n, _ in getattr(theirs, walk)(**options)], (walk, options)
    assert [n for n, _ in ours.named_parameters(recurse=False)] == [
        n for n, _ in theirs.named_parameters(recurse=False)
    ]


def test_values_and_what_requires_a_gradient(pair):
    ours, theirs = pair
    for (_, p), (name, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        np.testing.assert_array_equal(p.array, q.detach().numpy(), err_msg=name)
        assert p.requires_grad == q.requires_grad, name


def test_printed_form(pair):
    ours, theirs = pair
    expected = repr(theirs).replace("torch.DoubleTensor", "torch.float64").replace("torch.", "byhand.")
    assert repr(ours) == expected


def test_a_state_of_pytorchs_loads(pair):
    ours, theirs = pair
    state = {key: value + 1 for key, value in theirs.state_dict().items()}
    assert repr(ours.load_state_dict(state)) == "<All keys matched successfully>"
    theirs.load_state_dict(state)
    for (_, p), (name, q) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        np.testing.assert_array_equal(p.array, q.numpy(), err_msg=name)


@pytest.mark.parametrize("strict", [True, False])
def test_missing_and_unexpected_names(strict):
    ours, theirs = plain(OURS), plain(THEIRS)
    state = theirs.state_dict()
    state["0.wieght"] = state.pop("0.weight")
    if strict:
        with pytest.raises(RuntimeError):
            theirs.load_state_dict(state)
        with pytest.raises(RuntimeError):
            ours.load_state_dict(state)
    else:
        assert tuple(ours.load_state_dict(state, strict=False)) == tuple(theirs.load_state_dict(state, strict=False))


@pytest.mark.parametrize("pre", [False, True])
def test_backward_hooks_change_the_same_gradients(pre):
    results = []
    for nn in (OURS, THEIRS):
        net = nn.Sequential(affine(nn, W[0]), affine(nn, W[1]))
        seen = []
        for module in net.modules():

            def hook(m, gi, go, seen=seen):
                seen.append((gi[0], go[0]))
                return (gi[0] * 2 + go[0],)

            module.register_full_backward_hook(hook)
            if pre:
                module.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
        x = nn.Parameter(W[2])
        (net(x) * net(x)).sum().backward()
        results.append([np.asarray(g) for g in [x.grad, *[p.grad for p in net.parameters()], *sum(seen, ())]])
    assert len(results[0]) == len(results[1]) == 17
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_hooks_of_several_inputs_and_outputs():
    results = []
    for nn in (OURS, THEIRS):

        class Two(nn.Module):
            def forward(self, x, k, y):
                return x * y, (x + y) * k

        net, seen = Two(), []
        net.register_full_backward_hook(lambda m, gi, go, seen=seen: seen.extend([*gi, *go]))
        x, y = nn.Parameter(W[0]), nn.Parameter(W[1])
        a, b = net(x, 3.0, y)
        (a * a + b).sum().backward()
        assert seen[1] is None
        results.append([np.asarray(g) for g in [x.grad, y.grad, *seen[:1], *seen[2:]]])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, float("inf"), 0.0])
@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_clipping(norm_type, limit):
    results = []
    for nn, clip in ((OURS, utils), (THEIRS, torch.nn.utils)):
        ps = [nn.Parameter(w) for w in W[:3]]
        sum((p * p * p).sum() for p in ps[:2]).backward()
        norm = clip.clip_grad_norm_(ps, limit, norm_type)
        clip.clip_grad_value_(ps, 0.1)
        vector = clip.parameters_to_vector(ps)
        clip.vector_to_parameters(vector * 2, ps)
        results.append([np.asarray(t.detach()) for t in [norm, ps[0].grad, ps[1].grad, vector, *ps]])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        assert ours.dtype == theirs.dtype
