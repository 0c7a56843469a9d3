"""Pruning beside PyTorch's: masks, what is left, further pruning, and what training and `remove` make of it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch.nn.utils import prune as theirs  # noqa: E402

from byhand import nn  # noqa: E402
from byhand.core.errors import ShapeError, UsageError  # noqa: E402
from byhand.nn.utils import prune as ours  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402

RNG = np.random.default_rng(0)
MASK = np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 1]])

STEPS = {
    "l1": [("l1_unstructured", (0.3,))],
    "l1, a number": [("l1_unstructured", (5,))],
    "l1 twice": [("l1_unstructured", (0.3,)), ("l1_unstructured", (0.5,))],
    "rows": [("ln_structured", (1, 2, 0))],
    "columns by the largest": [("ln_structured", (0.5, float("inf"), 1))],
    "rows, then entries": [("ln_structured", (0.34, 1, 0)), ("l1_unstructured", (0.25,))],
    "columns twice": [("ln_structured", (1, 2, -1)), ("ln_structured", (0.5, 2, -1))],
    "a mask": [("custom_from_mask", (MASK,))],
    "a mask after others": [("l1_unstructured", (3,)), ("custom_from_mask", (MASK,))],
    "nothing": [("identity", ())],
    "nothing, then all": [("identity", ()), ("l1_unstructured", (1.0,))],
}


def twins():
    mine, other = nn.Linear(4, 3).double(), torch.nn.Linear(4, 3).double()
    mine.load_state_dict({key: Tensor(value.numpy().copy()) for key, value in other.state_dict().items()})
    return mine, other


def same_state(mine, other):
    assert set(mine.state_dict()) == set(other.state_dict())
    for name, value in other.state_dict().items():
        np.testing.assert_allclose(mine.state_dict()[name].array, value.numpy(), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", STEPS)
def test_masks_and_what_is_learnt_through_them(name):
    mine, other = twins()
    for kind, args in STEPS[name]:
        getattr(ours, kind)(mine, "weight", *[Tensor(a) if isinstance(a, np.ndarray) else a for a in args])
        getattr(theirs, kind)(other, "weight", *[torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args])
        same_state(mine, other)
    assert ours.is_pruned(nn.Sequential(mine)) and theirs.is_pruned(other)
    x = RNG.standard_normal((5, 4))
    for _ in range(2):
        y, z = mine(Tensor(x)), other(torch.tensor(x))
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), atol=1e-12)
        y.pow(2).sum().backward()
        z.pow(2).sum().backward()
        np.testing.assert_allclose(mine.weight_orig.grad.numpy(), other.weight_orig.grad.numpy(), atol=1e-12)
        for module, rule in ((mine, nn), (other, torch)):
            with torch.no_grad() if rule is torch else __import__("byhand").no_grad():
                module.weight_orig -= 0.1 * module.weight_orig.grad
    ours.remove(mine, "weight")
    theirs.remove(other, "weight")
    same_state(mine, other)
    assert not ours.is_pruned(mine)


def test_several_parameters_as_one():
    pairs = [twins() for _ in range(3)]
    pairs[0][0].weight.data *= 3
    pairs[0][1].weight.data *= 3
    ours.l1_unstructured(pairs[1][0], "weight", 4)
    theirs.l1_unstructured(pairs[1][1], "weight", 4)
    for module, which in ((ours, 0), (theirs, 1)):
        chosen = [(pair[which], name) for pair, name in zip(pairs, ("weight", "weight", "bias"), strict=True)]
        module.global_unstructured(chosen, pruning_method=module.L1Unstructured, amount=0.4)
    for mine, other in pairs:
        same_state(mine, other)


def test_at_random_a_share_is_taken():
    layer = nn.Linear(20, 10)
    ours.random_unstructured(layer, "weight", 0.25)
    assert int((layer.weight_mask == 0).sum()) == 50
    ours.random_unstructured(layer, "weight", 30)
    assert int((layer.weight_mask == 0).sum()) == 80
    other = nn.Conv2d(2, 8, 3)
    ours.random_structured(other, "weight", 3, 0)
    assert int((other.weight_mask.sum((1, 2, 3)) == 0).sum()) == 3


def test_a_rule_of_ones_own():
    class EveryOther(ours.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    layer = nn.Linear(4, 2)
    EveryOther.apply(layer, "bias")
    assert layer.bias_mask.tolist() == [0, 1]
    assert layer.bias.tolist() == (layer.bias_mask * layer.bias_orig).tolist()
    assert EveryOther().prune(Tensor(np.ones(3))).tolist() == [0, 1, 0]


def test_what_cannot_be_pruned():
    layer = nn.Linear(4, 3)
    for amount in (1.5, -1, "a", True):
        with pytest.raises(UsageError, match=r"a share from 0\.0 to 1\.0 or a number"):
            ours.l1_unstructured(layer, "weight", amount)
    with pytest.raises(UsageError, match="13 are to be taken away, and there are 12"):
        ours.l1_unstructured(layer, "weight", 13)
    with pytest.raises(UsageError, match="has no parameter 'w'"):
        ours.identity(layer, "w")
    with pytest.raises(UsageError, match="pruning of 'weight' not found"):
        ours.remove(layer, "weight")
    with pytest.raises(ShapeError, match="the mask has the shape"):
        ours.custom_from_mask(layer, "weight", Tensor(MASK.T))
    with pytest.raises(ShapeError, match="importance_scores have the shape"):
        ours.l1_unstructured(layer, "weight", 1, importance_scores=Tensor(MASK.T))
    with pytest.raises(UsageError, match="takes an unstructured method"):
        ours.global_unstructured([(layer, "weight")], ours.LnStructured, amount=1, n=2)
