"""Laws that every op obeys, over the table of samples: value, gradient, second derivative, array = Tensor, memory."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
import weakref
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from byhand.autograd import grad, gradcheck, gradgradcheck
from byhand.core import promotion
from byhand.core.op import OPS
from byhand.tensor import Tensor
from laws.sample import Sample
from laws.samples import NOT_DIFFERENTIABLE, SAMPLES


def _ids(samples: list[Sample]) -> list[str]:
    counts: Counter[str] = Counter()
    names = []
    for s in samples:
        counts[s.op.name] += 1
        names.append(f"{s.op.name}-{counts[s.op.name]}")
    return names


def over(samples: list[Sample]) -> Any:
    return pytest.mark.parametrize("sample", samples, ids=_ids(samples))


SMOOTH = [s for s in SAMPLES if s.floats]
JOINT = [s for s in SMOOTH if s.op.kind == "elementwise" and sum(isinstance(x, np.ndarray) for x in s.operands) > 1]


def tensors(sample: Sample, tracked: list[int] | None = None, dtype: Any = np.float64) -> list[Any]:
    """The operands, arrays among them as tensors, those at the places `tracked` as leaves; fresh copies."""
    made: list[Any] = []
    for i, x in enumerate(sample.operands):
        if isinstance(x, np.ndarray):
            x = Tensor(x.astype(dtype) if x.dtype == np.float64 else x.copy())
            x.requires_grad_(i in (tracked or ()))
        made.append(x)
    return made


def value(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else x


# totality


def test_every_op_has_a_sample() -> None:
    assert set(OPS) == {s.op.name for s in SAMPLES}


def test_every_sample_has_a_reference() -> None:
    assert [s.op.name for s in SAMPLES if s.reference is None] == []


def test_ops_without_rules_are_known() -> None:
    assert {name for name, op in OPS.items() if not op.rules} == NOT_DIFFERENTIABLE


@pytest.mark.parametrize("name", sorted(OPS))
def test_every_op_has_a_sentence(name: str) -> None:
    assert (OPS[name].kernel.__doc__ or "").strip()


@over([s for s in SAMPLES if s.op.rules])
def test_every_float_operand_has_a_rule(sample: Sample) -> None:
    floats = [i for i, x in enumerate(sample.operands) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    assert floats == sample.floats


@pytest.mark.parametrize("name", sorted(OPS))
def test_kernel_can_be_read_from_its_source(name: str) -> None:
    """What the compiler inlines: the kernel's text, whose free names its module knows."""
    kernel = OPS[name].kernel
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kernel))).body
    assert isinstance(definition, ast.FunctionDef)
    arguments = definition.args
    operands = [*[x.arg for x in arguments.args], *([arguments.vararg.arg] if arguments.vararg else [])]
    assert operands == OPS[name].operands
    assert [x.arg for x in arguments.kwonlyargs] == OPS[name].attributes
    assert not arguments.kw_defaults or not any(arguments.kw_defaults), "attributes are resolved before they are stored"
    stored = {n.id for n in ast.walk(definition) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    read = {n.id for s in definition.body for n in ast.walk(s) if isinstance(n, ast.Name)}
    free = read - stored - {*operands, *OPS[name].attributes}
    assert {n for n in free if n not in kernel.__globals__ and not hasattr(builtins, n)} == set()
    if isinstance(definition.body[-1], ast.Return):
        assert definition.body[-1].value is not None


# values


@over(SAMPLES)
def test_value_is_the_reference(sample: Sample) -> None:
    operands = [x.copy() if isinstance(x, np.ndarray) else x for x in sample.operands]
    out = sample.call(*operands)
    expected = sample.reference(*sample.operands, **sample.attrs)  # type: ignore[misc]
    assert np.shape(out) == np.shape(expected)
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-14)
    for before, after in zip(sample.operands, operands, strict=True):
        np.testing.assert_array_equal(before, after)  # a kernel leaves its operands as they are


@over(SAMPLES)
def test_array_and_tensor_give_the_same(sample: Sample) -> None:
    array = sample.call(*sample.operands)
    for tracked in (None, sample.floats):
        tensor = sample.call(*tensors(sample, tracked))
        assert type(tensor) is Tensor
        assert type(tensor.array) is np.ndarray
        assert tensor.dtype == np.asarray(array).dtype
        np.testing.assert_array_equal(tensor.array, array)
        assert tensor.requires_grad == bool(tracked)


@over([sample for sample in SMOOTH if sample.op.name != "cast"])  # there the dtype is an attribute
def test_float32_stays_float32(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    leaves = tensors(sample, sample.floats, np.float32)
    out = sample.call(*leaves)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.array, sample.call(*sample.operands), rtol=2e-5, atol=2e-6)

    def refused(g: Any, *, dtype: Any) -> Any:
        raise AssertionError(f"a rule of {sample.op.name} made {g.dtype} of float32")

    monkeypatch.setattr(promotion, "cast", refused)
    grad(out, [leaves[i] for i in sample.floats], Tensor(np.ones(out.shape, np.float32)))


@over([s for s in SAMPLES if s.op.kind == "elementwise"])
def test_elementwise_takes_no_values_and_single_ones(sample: Sample) -> None:
    for pick in (lambda x: x.reshape(-1)[:0], lambda x: x.reshape(-1)[0]):
        operands = [np.asarray(pick(x)) if isinstance(x, np.ndarray) else x for x in sample.operands]
        small = replace(sample, operands=tuple(operands))
        leaves = tensors(small, small.floats)
        out = small.call(*leaves)
        assert out.shape == np.broadcast_shapes(*[np.shape(x) for x in operands])
        assert type(out.array) is np.ndarray
        if small.floats:
            for i, g in zip(
                small.floats, grad(out, [leaves[i] for i in small.floats], np.ones(out.shape)), strict=True
            ):
                assert g.shape == np.shape(operands[i])


@over(SAMPLES)
def test_memory_order_does_not_matter(sample: Sample) -> None:
    operands = [np.asfortranarray(x) if isinstance(x, np.ndarray) else x for x in sample.operands]
    np.testing.assert_allclose(sample.call(*operands), sample.call(*sample.operands), rtol=1e-14, atol=1e-15)


@over([s for s in SAMPLES if s.op.kind != "view"])
def test_only_views_share_memory(sample: Sample) -> None:
    """A result that aliased an operand unbeknownst would change with it."""
    out = sample.call(*sample.operands)
    assert not any(np.shares_memory(out, x) for x in sample.operands if isinstance(x, np.ndarray))


@over([s for s in SAMPLES if s.op.ufunc is not None])
def test_ufunc_is_the_kernel(sample: Sample) -> None:
    """In-place ops and eager calls use the ufunc, programs the kernel's text."""
    np.testing.assert_array_equal(sample.op.ufunc(*sample.operands), sample.op.kernel(*sample.operands))


@over([s for s in SAMPLES if s.op.residuals])
def test_residuals_are_what_they_say(sample: Sample) -> None:
    operands = dict(zip(sample.op.operands, sample.operands, strict=True)) | sample.attrs
    _, *residuals = sample.op.kernel(*sample.operands, **sample.attrs)
    for found, formula in zip(residuals, sample.op.residuals.values(), strict=True):
        if formula is None:  # for its op's own rules alone, which the laws of gradients check
            continue
        expected = formula(*[operands[name] for name in inspect.signature(formula).parameters])
        np.testing.assert_allclose(found, expected, rtol=1e-14)


# derivatives


@over(SMOOTH)
def test_gradient_is_that_of_differences(sample: Sample) -> None:
    assert gradcheck(sample.call, tensors(sample, sample.floats), rtol=1e-6, atol=1e-7)


@over([s for s in SMOOTH if len(s.floats) > 1])
def test_gradient_of_one_operand_alone(sample: Sample) -> None:
    """What is saved depends on which operands are tracked: each pattern must save enough."""
    whole = tensors(sample, sample.floats)
    g = np.linspace(0.5, 1.5, sample.call(*whole).numel()).reshape(sample.call(*whole).shape)
    together = grad(sample.call(*whole), [whole[i] for i in sample.floats], g)
    for place, expected in zip(sample.floats, together, strict=True):
        alone = tensors(sample, [place])
        (found,) = grad(sample.call(*alone), alone[place], g)
        np.testing.assert_allclose(found.array, expected.array, rtol=1e-13, atol=1e-14)


@over(SMOOTH)
def test_second_derivative_is_that_of_differences(sample: Sample) -> None:
    assert gradgradcheck(sample.call, tensors(sample, sample.floats), rtol=1e-5, atol=1e-6)


@over(SMOOTH)
def test_gradient_by_arrays_is_that_by_tensors(sample: Sample) -> None:
    leaves = tensors(sample, sample.floats)
    wanted = [leaves[i] for i in sample.floats]
    out = sample.call(*leaves)
    g = Tensor(np.linspace(0.5, 1.5, out.numel()).reshape(out.shape))
    recorded = grad(out, wanted, g, create_graph=True)
    for fast, slow in zip(grad(out, wanted, g), recorded, strict=True):
        np.testing.assert_array_equal(fast.array, slow.array)


@over(JOINT)
def test_broadcast_operands_get_summed_gradients(sample: Sample) -> None:
    for place in sample.floats:
        operands = list(sample.operands)
        operands[place] = operands[place][..., :1].copy()
        small = replace(sample, operands=tuple(operands))
        assert gradcheck(small.call, tensors(small, small.floats), rtol=1e-6, atol=1e-7)


# memory


@over([s for s in SMOOTH if not s.around])
def test_only_what_the_rules_name_is_saved(sample: Sample) -> None:
    out = sample.call(*tensors(sample, sample.floats))
    named: set[str] = set()
    for i in sample.floats:
        named.update(sample.op.rule(i).needs)
    for name in reversed(sample.op.shared):
        named |= set(sample.op.shared[name].needs) if name in named else set()
    for name in named & set(sample.op.residuals):  # kept, and their operands too, for higher derivatives
        formula = sample.op.residuals[name]
        named |= set() if formula is None else set(inspect.signature(formula).parameters)
    operands = sample.op.operands
    named -= {name for name, x in zip(operands, sample.operands, strict=False) if x is None}
    names = (
        operands[:-1] + operands[-1:] * (len(sample.operands) + 1 - len(operands)) if sample.op.variadic else operands
    )
    for name, kept in zip([*names, *sample.op.residuals, "out"], out.node.saved, strict=True):
        assert (kept is not None) == (name in named), name


@over([s for s in SMOOTH if s.op.kind != "view" and not s.around])
def test_what_no_rule_names_is_freed(sample: Sample) -> None:
    before = tensors(sample, sample.floats)
    computed = [x * 1 if isinstance(x, Tensor) and x.requires_grad else x for x in before]
    out = sample.call(*computed)
    apart = [i for i in sample.floats if not np.may_share_memory(out.array, computed[i].array)]
    watched = {i: weakref.ref(computed[i].array) for i in apart}
    del computed
    for i, reference in watched.items():
        kept = out.node.saved[i] is not None
        assert (reference() is not None) == kept, f"operand {i} of {sample.op.name}"


@over(SMOOTH)
def test_nothing_is_kept_without_a_gradient(sample: Sample) -> None:
    assert sample.call(*tensors(sample)).node is None
