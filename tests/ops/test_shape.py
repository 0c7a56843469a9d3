"""What is a view and what a copy, edges of joining and splitting."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import ShapeError, UsageError

X = byhand.arange(24.0).reshape(2, 3, 4)

VIEWS = [
    lambda x: x.reshape(6, 4), lambda x: x.view(-1), lambda x: x.flatten(1), lambda x: x.permute(2, 0, 1),
    lambda x: x.transpose(0, 1), lambda x: x.T,
    lambda x: x.mT, lambda x: x.unsqueeze(0), lambda x: x[:1].squeeze(0), lambda x: x.expand(5, 2, 3, 4),
    lambda x: x.narrow(1, 0, 2), lambda x: x.split(2, 1)[0],
    lambda x: x.chunk(2)[1], lambda x: x.unbind(1)[2], lambda x: x.diagonal(0, 1, 2), lambda x: x.movedim(0, 2),
    lambda x: x.unflatten(2, (2, 2)),
    lambda x: x.select(0, 1), lambda x: x.swapaxes(0, 2), lambda x: x.view_as(byhand.zeros(24)),
    lambda x: byhand.broadcast_to(x, (2, 2, 3, 4)), lambda x: x.ravel(),
    lambda x: x.tensor_split(2, 2)[0],
]  # fmt: skip
COPIES = [
    lambda x: x.flip(0), lambda x: x.roll(1), lambda x: x.T.reshape(-1), lambda x: x.repeat(1, 1, 1),
    lambda x: x.tril(), lambda x: byhand.cat([x]),
    lambda x: byhand.stack([x]), lambda x: x.T.contiguous(), lambda x: x.clone(), lambda x: x.tile(1),
    lambda x: x.T.flatten(),
]  # fmt: skip


@pytest.mark.parametrize("view", VIEWS, ids=range(len(VIEWS)))
def test_views_share_memory(view) -> None:  # type: ignore[no-untyped-def]
    assert np.may_share_memory(view(X).array, X.array)


@pytest.mark.parametrize("copy", COPIES, ids=range(len(COPIES)))
def test_copies_do_not(copy) -> None:  # type: ignore[no-untyped-def]
    assert not np.shares_memory(copy(X).array, X.array)


def test_a_view_can_be_written_through() -> None:
    x = byhand.zeros(3, 3)
    x.diagonal().fill_(1.0)
    x.T[0].add_(5)
    x.view(9)[1:2].copy_(byhand.tensor([7.0]))
    assert x.tolist() == [[6, 7, 0], [5, 1, 0], [5, 0, 1]]
    assert byhand.zeros(2, 3).fill_diagonal_(2.0).tolist() == [[2, 0, 0], [0, 2, 0]]


def test_view_refuses_to_copy() -> None:
    with pytest.raises(ShapeError, match=r"view: shape \(4, 3, 2\).*use reshape"):
        X.T.view(24)
    with pytest.raises(UsageError, match=r"x\.to\(dtype\)"):
        X.view(byhand.float64)


def test_sizes_may_be_given_in_all_forms() -> None:
    for y in (X.reshape(6, -1), X.reshape((6, -1)), X.reshape([6, -1]), byhand.reshape(X, (6, -1))):
        assert y.shape == (6, 4)
    assert X.permute(dims=(2, 1, 0)).shape == byhand.permute(X, dims=[2, 1, 0]).shape == (4, 3, 2)
    assert X.flip(dims=[0])[0, 0, 0].item() == 12 and byhand.flip(X, dims=(0,)).shape == X.shape
    assert byhand.tile(byhand.ones(2), dims=(2,)).shape == (4,)


def test_cat_skips_empty_vectors_and_promotes() -> None:
    assert byhand.cat([byhand.zeros(0), byhand.ones(2, 2)]).shape == (2, 2)
    assert byhand.cat([byhand.tensor([1]), byhand.tensor([0.5])]).tolist() == [1, 0.5]


def test_gradients_of_joined_tensors_go_apart() -> None:
    x, y = byhand.ones(2, requires_grad=True), byhand.ones(3)
    (byhand.cat([x, y, x]) * byhand.arange(7.0)).sum().backward()
    assert x.grad.tolist() == [0 + 5, 1 + 6]


def test_splitting_covers_everything() -> None:
    for parts in (X.split(2, 1), X.chunk(4, 2), X.tensor_split(3, 2), X.split([1, 3], 2)):
        assert sum(p.numel() for p in parts) == 24
    assert [len(p) for p in byhand.arange(7).tensor_split(3)] == [3, 2, 2] and [
        len(p) for p in byhand.arange(7).chunk(3)
    ] == [3, 3, 1]


def test_expand_keeps_sizes_and_cannot_shrink() -> None:
    assert byhand.ones(3, 1).expand(-1, 4).shape == (3, 4)
    with pytest.raises(ShapeError):
        byhand.ones(3).expand(2)
    with pytest.raises(ShapeError, match="fewer axes"):
        byhand.ones(3, 1).expand(3)


def test_pad_and_crop() -> None:
    from byhand.ops.shape import pad

    assert pad(byhand.ones(2), (1, 2), 5.0).tolist() == [5, 1, 1, 5, 5]
    assert pad(byhand.arange(4.0), (-1, -1)).tolist() == [1, 2]
    assert pad(byhand.ones(1, 1), (0, 1, 1, 0)).tolist() == [[0, 0], [1, 0]]
    with pytest.raises(ShapeError, match="pairs"):
        pad(byhand.ones(2), (1,))


def test_meshgrid() -> None:
    a, b = byhand.meshgrid(byhand.arange(2), byhand.arange(3), indexing="xy")
    assert a.shape == (3, 2) and a[0].tolist() == [0, 1] and b[:, 0].tolist() == [0, 1, 2]
    with pytest.raises(UsageError, match="'ij' or 'xy'"):
        byhand.meshgrid(byhand.arange(2), indexing="ji")
