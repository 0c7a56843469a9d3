"""What goes wrong is said in the user's words: op, shapes, dtypes, what to type instead; never NumPy's bare words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import byhand
from byhand.core.errors import ByhandError, DomainError, DtypeError, GraphError, ShapeError, UsageError

A, B, C = byhand.ones(2, 3), byhand.ones(4), byhand.ones(2, 3, 4)
N = byhand.tensor([1, 2])

CASES: list[tuple[Callable[[], Any], type, str]] = [
    (lambda: A + B, ShapeError, r"add got \(2, 3\) and \(4,\).*axis -1 is 3 against 4"),
    (lambda: byhand.where(A > 0, A, B), ShapeError, r"where got .*axis -1 is 3 against 3 against 4|where got"),
    (lambda: A @ A, ShapeError, r"matmul got \(2, 3\) and \(2, 3\); expected \(…, n, k\) and \(…, k, m\)"),
    (lambda: byhand.mm(A, B), ShapeError, r"mm got \(2, 3\) and \(4,\); expected \(n, k\) and \(k, m\)"),
    (lambda: byhand.bmm(A, A), ShapeError, r"bmm got"),
    (lambda: byhand.dot(A, A), ShapeError, r"dot got \(2, 3\)"),
    (lambda: A.reshape(5), ShapeError, r"reshape: shape \(2, 3\) has 6 values, shape \(5,\) would hold 5"),
    (lambda: A.reshape(-1, 4), ShapeError, r"reshape: 6 values.*no multiple of 4"),
    (lambda: A.reshape(-1, -1), ShapeError, r"at most one"),
    (lambda: A.T.view(6), ShapeError, r"view: .*use reshape"),
    (lambda: A.sum(5), DomainError, r"sum: there is no axis 5 in a tensor of 2 axes \(allowed: -2 to 1\)"),
    (lambda: A.softmax(2), DomainError, r"softmax: there is no axis 2"),
    (lambda: A.softmax(), UsageError, r"softmax: say along which axis"),
    (lambda: A.sum(dim=0, axis=1), UsageError, r"dim and axis mean the same"),
    (lambda: A.sum((0, 0)), UsageError, r"twice"),
    (lambda: A.permute(0, 0), ShapeError, r"permute: \(0, 0\) is no order"),
    (lambda: byhand.cat([A, B]), ShapeError, r"cat got \(2, 3\) and \(4,\)"),
    (lambda: byhand.cat([]), UsageError, r"cat: there is no tensor"),
    (lambda: byhand.stack([A, B]), ShapeError, r"stack: all shapes must be equal"),
    (lambda: byhand.stack([]), ByhandError, r"stack"),
    (lambda: A.split([1, 5], 1), ShapeError, r"do not add up to 3"),
    (lambda: A.chunk(0), UsageError, r"positive"),
    (lambda: A.expand(5, 3), ShapeError, r"expand got \(2, 3\)|expand"),
    (lambda: A.repeat(2), ShapeError, r"repeat: 1 counts for the 2 axes"),
    (lambda: A[5], DomainError, r"index 5 is out of bounds.*\(2, 3\)"),
    (lambda: A[0, 0, 0], DomainError, r"too many indices|\(2, 3\)"),
    (lambda: A[1.5], DtypeError, r"index must be integer or boolean"),
    (lambda: A[byhand.ones(2)], DtypeError, r"index must be integer or boolean, not float32; use \.long\(\)"),
    (lambda: A[byhand.tensor([True, False, True])], DomainError, r"boolean|\(2, 3\)"),
    (lambda: A.gather(1, N), ShapeError, r"gather: index has 1 axes and x has 2"),
    (lambda: A.gather(1, byhand.tensor([[9]])), DomainError, r"gather: index runs from 9 to 9.*places 0 to 2"),
    (lambda: A.gather(1, byhand.ones(2, 1)), DtypeError, r"gather: index must be integer"),
    (lambda: A.index_select(0, byhand.tensor([7])), DomainError, r"7.*\(2, 3\)"),
    (lambda: A.topk(4), UsageError, r"topk: k=4"),
    (lambda: A.narrow(1, 2, 5), ShapeError, r"narrow: 2 to 7"),
    (lambda: byhand.einsum("ij,jk->ik", A), UsageError, r"names 2 operands, 1 are given"),
    (lambda: byhand.einsum("ij,jk->ik", A, A), ShapeError, r"axis 'j' is 3 in one operand and 2 in another"),
    (lambda: byhand.einsum("ijk->i", A), ShapeError, r"'ijk' names 3 axes"),
    (lambda: A.item(), ShapeError, r"item\(\) is for one value.*\(2, 3\).*tolist"),
    (lambda: bool(A), ShapeError, r"ambiguous.*\.any\(\) or \.all\(\)"),
    (lambda: len(byhand.tensor(1.0)), DtypeError, r"without axes"),
    (lambda: list(byhand.tensor(1.0)), DtypeError, r"without axes"),
    (lambda: [1, 2][byhand.tensor(0.5)], DtypeError, r"only an integer tensor can be an index"),
    (lambda: byhand.tensor([[1, 2], [3]]), ShapeError, r"rows of different lengths"),
    (lambda: byhand.tensor(["a"]), DtypeError, r"numbers and booleans"),
    (lambda: byhand.relu(byhand.tensor([1 + 2j])), DtypeError, r"relu cannot take complex64"),
    (lambda: byhand.tensor(None), DtypeError, r"numbers and booleans"),
    (lambda: byhand.tensor([1.0], dtype="nonsense"), DtypeError, r"'nonsense' is no dtype"),
    (lambda: byhand.tensor([1.0], dtype=object), DtypeError, r"cannot hold object"),
    (lambda: byhand.zeros(2, device="cuda"), UsageError, r"computes on the CPU.*'cuda'"),
    (lambda: A.cuda(), UsageError, r"computes on the CPU"),
    (lambda: A.to("cuda:0"), UsageError, r"computes on the CPU"),
    (
        lambda: byhand.tensor([1, 2], requires_grad=True),
        DtypeError,
        r"only float tensors have gradients.*int64.*\.float\(\)",
    ),
    (lambda: byhand.from_numpy([1]), UsageError, r"from_numpy takes a NumPy array, not list"),
    (lambda: byhand.arange(0, 5, 0), UsageError, r"step must not be 0"),
    (lambda: byhand.ones(1, requires_grad=True).numpy(), GraphError, r"detach\(\)\.numpy\(\)"),
    (lambda: byhand.multinomial(byhand.zeros(3), 1), DomainError, r"multinomial"),
    (lambda: byhand.bernoulli(byhand.tensor([2.0])), DomainError, r"within 0 and 1"),
    (lambda: byhand.randint(5, 5, (2,)), DomainError, r"no integer from 5"),
    (lambda: A.clamp(), UsageError, r"clamp needs min, max or both"),
    (lambda: byhand.div(A, A, rounding_mode="up"), UsageError, r"rounding_mode"),
    (lambda: A.quantile(1.5), UsageError, r"within 0 and 1"),
    (lambda: byhand.manual_seed("zero"), UsageError, r"a seed is an integer"),
    (lambda: A.norm("max"), UsageError, r"'max'"),
    (lambda: byhand.set_default_dtype(byhand.int64), DtypeError, r"float32 or float64"),
    (lambda: byhand.max(byhand.zeros(0)), ByhandError, r"amax|max"),
    (lambda: byhand.zeros(0).argmax(), ByhandError, r"argmax"),
    (lambda: A.cumsum(7), DomainError, r"cumsum: there is no axis 7"),
    (lambda: A.flatten(1, 0), UsageError, r"start_dim"),
    (lambda: A.masked_select(byhand.tensor([True, False])), ByhandError, r"\(2, 3\)|broadcast"),
    (lambda: A.tile("x"), ByhandError, r"."),
    (lambda: byhand.zeros("3"), ByhandError, r"."),
    (lambda: A + "a", DtypeError, r"add cannot take"),
    (lambda: A + None, DtypeError, r"add cannot take"),
    (lambda: A & A, DtypeError, r"bitwise_and cannot take float32"),
    (lambda: ~A, DtypeError, r"bitwise_not cannot take float32"),
]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_message(case: tuple[Callable[[], Any], type, str]) -> None:
    call, kind, said = case
    with pytest.raises(kind, match=said) as caught:
        call()
    assert isinstance(caught.value, ByhandError)


def test_errors_are_also_what_numpy_and_pytorch_raise() -> None:
    assert issubclass(ShapeError, (ValueError, RuntimeError)) and issubclass(ShapeError, RuntimeError)
    assert issubclass(DtypeError, TypeError)
    assert issubclass(DomainError, (ValueError, IndexError)) and issubclass(DomainError, IndexError)
    assert issubclass(GraphError, RuntimeError)
    assert issubclass(UsageError, ValueError)


def test_the_cause_stays_attached() -> None:
    with pytest.raises(ShapeError) as caught:
        A + B
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_unknown_error_gets_a_note_with_the_op() -> None:
    with pytest.raises(OverflowError) as caught:
        byhand.ones(2, 3).to(byhand.int8) + 1000
    assert "in add of (2, 3) and 1000" in caught.value.__notes__
