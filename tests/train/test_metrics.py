from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.core.errors import ShapeError, UsageError
from byhand.train import metrics as m

rng = np.random.default_rng(0)
LOGITS = rng.normal(size=(60, 7)).astype(np.float32)
TARGET = rng.integers(0, 6, 60)  # class 6 is never the truth
CLASSES = LOGITS.argmax(1)


def test_accuracy_on_arrays_and_tensors() -> None:
    expected = float(np.mean(CLASSES == TARGET))
    assert m.accuracy(LOGITS, TARGET) == expected
    assert m.accuracy(byhand.tensor(LOGITS), byhand.tensor(TARGET)) == expected
    assert m.accuracy(CLASSES, TARGET) == expected


def test_accuracy_of_one_score_a_sample() -> None:
    assert m.accuracy(np.array([-1.0, 2.0, 3.0]), np.array([0, 1, 0])) == pytest.approx(2 / 3)
    assert m.accuracy(np.array([[-1.0], [2.0], [3.0]]), np.array([0, 1, 0])) == pytest.approx(2 / 3)


def test_accuracy_over_positions() -> None:
    scores = rng.normal(size=(4, 5, 3))
    target = scores.argmax(1)
    target[0, 0] = (target[0, 0] + 1) % 5
    assert m.accuracy(scores, target) == pytest.approx(11 / 12)


@pytest.mark.parametrize("k", [1, 2, 5, 7])
def test_top_k(k: int) -> None:
    order = np.argsort(-LOGITS, 1)[:, :k]
    assert m.top_k_accuracy(LOGITS, TARGET, k) == np.mean((order == TARGET[:, None]).any(1))


def test_scikit_learn_agrees() -> None:
    sk = pytest.importorskip("sklearn.metrics")
    assert np.array_equal(m.confusion_matrix(LOGITS, TARGET), sk.confusion_matrix(TARGET, CLASSES, labels=range(7)))
    assert m.macro_f1(LOGITS, TARGET) == pytest.approx(sk.f1_score(TARGET, CLASSES, average="macro"))
    assert m.macro_f1([0, 0, 2], [0, 0, 3]) == pytest.approx(sk.f1_score([0, 0, 3], [0, 0, 2], average="macro"))
    y, p = rng.normal(size=(50, 3)) + 100, rng.normal(size=(50, 3)) + 100
    assert m.r2_score(p, y) == pytest.approx(sk.r2_score(y, p))
    assert m.r2_score(p[:, 0], y[:, 0]) == pytest.approx(sk.r2_score(y[:, 0], p[:, 0]))
    assert m.top_k_accuracy(LOGITS, TARGET, 3) == sk.top_k_accuracy_score(TARGET, LOGITS, k=3, labels=range(7))


def test_r2_of_a_constant_target() -> None:
    assert m.r2_score([2.0, 2.0], [2.0, 2.0]) == 1.0
    assert m.r2_score([2.0, 3.0], [2.0, 2.0]) == 0.0
    assert np.isnan(m.r2_score([2.0], [2.0]))


ALL: list[Any] = [m.Accuracy, m.TopK, m.ConfusionMatrix, m.MacroF1, lambda: m.TopK(2)]


@pytest.mark.parametrize("make", ALL)
@given(cuts=st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=20, deadline=None)
def test_batches_together_give_what_one_batch_gives(make: Any, cuts: list[int]) -> None:
    whole, parts = make(), make()
    whole.update(LOGITS, TARGET)
    ends = [0, *sorted(cuts), 60]
    for start, stop in pairwise(ends):
        parts.update(LOGITS[start:stop], TARGET[start:stop])
    assert np.array_equal(parts.compute(), whole.compute())


@given(cuts=st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=20, deadline=None)
def test_r2_over_batches(cuts: list[int]) -> None:
    y, p = LOGITS[:, :2] * 3 + 1000, LOGITS[:, 2:4] + 1000
    parts = m.R2()
    ends = [0, *sorted(cuts), 60]
    for start, stop in pairwise(ends):
        parts.update(p[start:stop], y[start:stop])
    assert parts.compute() == pytest.approx(m.r2_score(p, y), rel=1e-9)


@pytest.mark.parametrize("make", [*ALL, m.R2])
def test_state_goes_on_where_it_was(make: Any) -> None:
    one, two = make(), make()
    one.update(LOGITS[:20], LOGITS[:20] if make is m.R2 else TARGET[:20])
    two.load_state_dict(one.state_dict())
    for metric in (one, two):
        metric.update(LOGITS[20:], LOGITS[20:] * 0.5 if make is m.R2 else TARGET[20:])
    assert np.array_equal(one.compute(), two.compute())
    two.reset()
    assert two.state_dict().keys() == one.state_dict().keys()
    assert np.array_equal(two.of(LOGITS[:9], LOGITS[:9] if make is m.R2 else TARGET[:9]), two.compute())


def test_the_mean_of_a_loss_weighs_by_samples() -> None:
    mean = m.Mean()
    assert np.isnan(mean.compute())
    mean.update(1.0, 3)
    mean.update(5.0, 1)
    assert mean.compute() == 2.0
    again = m.Mean()
    again.load_state_dict(json.loads(json.dumps(mean.state_dict())))
    assert again.compute() == 2.0


def test_a_confusion_matrix_grows_or_has_its_size() -> None:
    assert m.confusion_matrix([0, 1], [0, 1]).shape == (2, 2)
    assert m.confusion_matrix([0, 1], [0, 1], classes=4).shape == (4, 4)
    with pytest.raises(UsageError, match="from 0 to 1, got 5"):
        m.confusion_matrix([0, 5], [0, 1], classes=2)
    with pytest.raises(UsageError, match="negative"):
        m.confusion_matrix([0, 1], [0, -1])


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"\(3, 2\) and a target of shape \(4,\)"):
        m.accuracy(np.zeros((3, 2)), np.zeros(4, int))
    with pytest.raises(ShapeError, match="top_5"):
        m.TopK().update(np.zeros(3), np.zeros(3, int))
    with pytest.raises(ShapeError, match="same shape"):
        m.r2_score(np.zeros((3, 2)), np.zeros(3))


def test_names_must_differ() -> None:
    assert list(m.named([m.Accuracy(), m.TopK(3)])) == ["accuracy", "top_3"]
    assert list(m.named({"a": m.Accuracy()})) == ["a"]
    with pytest.raises(UsageError, match="two are called 'accuracy'"):
        m.named([m.Accuracy(), m.Accuracy()])
    with pytest.raises(UsageError, match="expected objects"):
        m.named([m.accuracy])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="k must be"):
        m.TopK(0)
