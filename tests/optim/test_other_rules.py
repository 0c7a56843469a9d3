"""What is special to Rprop, ASGD, RAdam, Adafactor and Muon; their trajectories are compared in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand import optim
from byhand.core.errors import CheckpointError, UsageError


def parameter(array, gradient):
    p = byhand.tensor(np.asarray(array, float), requires_grad=True)
    p.grad = byhand.tensor(np.asarray(gradient, float))
    return p


def test_rprop_by_hand():
    w = parameter([0.0], [5.0])
    optimizer = optim.Rprop([w], lr=1.0, etas=(0.5, 2.0), step_sizes=(0.0, 3.0))
    path = []
    for gradient in (5.0, 0.1, 7.0, -1.0, -1.0):
        w.grad = byhand.tensor([gradient], dtype=byhand.float64)
        optimizer.step()
        path.append(w.item())
    assert path == [-1.0, -3.0, -6.0, -6.0, -4.5]  # steps 1, 2, 3 (not 4), none at the turn, half of 3


@pytest.mark.parametrize("etas", [(1.0, 1.2), (0.0, 1.2), (0.5, 1.0), (0.5,)])
def test_rprops_factors_lie_on_both_sides_of_one(etas):
    with pytest.raises(UsageError, match="etas"):
        optim.Rprop([parameter([1.0], [1.0])], etas=etas)


def test_asgd_keeps_the_mean_after_t0():
    w = parameter([0.0], [-1.0])
    optimizer = optim.ASGD([w], lr=1.0, lambd=0.0, t0=2)
    places = []
    for _ in range(6):
        optimizer.step()
        places.append(w.item())
    assert places == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert optimizer.state[w]["ax"].item() == pytest.approx(np.mean(places[3:]))
    assert optimizer.state[w]["mu"] == 1 / 4


def test_radam_begins_with_plain_steps():
    w = parameter([0.0, 0.0], [1.0, 100.0])
    optimizer = optim.RAdam([w], lr=0.1)
    optimizer.step()
    np.testing.assert_allclose(w.detach().numpy(), [-0.1, -10.0])


def test_adafactor_keeps_a_row_and_a_column():
    w, v = parameter(np.ones((3, 4, 5)), np.ones((3, 4, 5))), parameter(np.ones(7), np.ones(7))
    optimizer = optim.Adafactor([w, v])
    optimizer.step()
    assert {k: tuple(x.shape) for k, x in optimizer.state[w].items() if k != "step"} == {
        "row_var": (3, 4, 1),
        "col_var": (3, 1, 5),
    }
    assert optimizer.state[v].keys() == {"step", "variance"}


def test_a_factor_of_another_shape_is_refused():
    saved = optim.Adafactor([w := parameter(np.ones((3, 4)), np.ones((3, 4)))])
    saved.step()
    other = optim.Adafactor([parameter(np.ones((3, 5)), np.ones((3, 5)))])
    state = saved.state_dict()
    with pytest.raises(CheckpointError, match=r"col_var of parameter 0 has shape \(1, 4\).* should have \(1, 5\)"):
        other.load_state_dict(state)
    assert tuple(saved.state[w]["col_var"].shape) == (1, 4)


@pytest.mark.parametrize("options", [{"eps": 1e-3}, {"eps": (-1.0, 1e-3)}, {"d": 0.5}, {"beta2_decay": 0.1}])
def test_adafactors_numbers_out_of_range(options):
    with pytest.raises(UsageError, match=f"Adafactor: {next(iter(options))}"):
        optim.Adafactor([parameter([1.0], [1.0])], **options)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_muons_step_is_nearly_orthogonal(shape):
    rng = np.random.default_rng(0)
    w = parameter(np.zeros(shape), rng.normal(size=shape) * 1000)
    optim.Muon([w], lr=1.0, weight_decay=0.0, ns_steps=10).step()
    singular = np.linalg.svd(w.detach().numpy() / max(1, shape[0] / shape[1]) ** 0.5, compute_uv=False)
    assert singular.min() > 0.6 and singular.max() < 1.3


def test_muon_takes_matrices_only():
    with pytest.raises(UsageError, match=r"Muon only supports 2D parameters, got one of shape \(3,\); give .* AdamW"):
        optim.Muon([parameter(np.ones(3), np.ones(3))])
    optimizer = optim.Muon([parameter(np.ones((2, 2)), np.ones((2, 2)))])
    with pytest.raises(UsageError, match="2D"):
        optimizer.add_param_group({"params": [parameter(np.ones(3), np.ones(3))]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(
    "options", [{"adjust_lr_fn": "other"}, {"ns_coefficients": (1.0, 2.0)}, {"ns_steps": 100}, {"momentum": -0.1}]
)
def test_muons_options_out_of_range(options):
    with pytest.raises(UsageError, match=f"Muon: {next(iter(options))}"):
        optim.Muon([parameter(np.ones((2, 2)), np.ones((2, 2)))], **options)
