"""What an op is: one NumPy kernel, one derivative rule for each operand, and facts that others read.

`@op(KIND)` turns a kernel into a function that computes on arrays and records on tensors; `derive` attaches rules.
Both are called by the modules of `byhand.ops` and by nobody else; `OPS` is the table that everything reads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byhand.tensor import Tensor

OPS: dict[str, Op] = {}
WATCHERS: list[Callable[[Op], Any]] = []  # called with each op defined from now on: modules may be loaded late

VARARGS = 0x04  # the flag of a code object that takes *args

# Kinds: what the compiler may do with an op.
ELEMENTWISE = "elementwise"  # broadcasts, value by value
REDUCE = "reduce"  # some axes disappear or shrink to 1
VIEW = "view"  # the same memory under another shape
MOVE = "move"  # values are copied to other places
CONTRACT = "contract"  # matrix products
SCAN = "scan"  # along an axis, each value depends on those before
OTHER = "other"

Rule = Callable[..., Any]


def signature(function: Callable[..., Any]) -> tuple[list[str], list[str], bool]:
    """The positional names (a last `*name` among them), the keyword-only names, and whether there is a `*name`.

    Read off the code object: `inspect.signature` takes 6.5 µs more, 2 ms of the import for the whole table.
    """
    code = function.__code__
    names, count, keywords = code.co_varnames, code.co_argcount, code.co_kwonlyargcount
    variadic = bool(code.co_flags & VARARGS)
    rest = [names[count + keywords]] if variadic else []
    return [*names[:count], *rest], list(names[count : count + keywords]), variadic


class Derivative:
    """The rule of one operand.

    rule       the function of g and of what it needs
    needs      the names of its parameters but g
    positions  where in a node's `saved` they stand, if all are operands or the result; None if some are not
    """

    __slots__ = ("needs", "positions", "rule")

    def __init__(self, rule: Rule, needs: tuple[str, ...], record: Op) -> None:
        self.rule, self.needs = rule, needs
        places = {**{name: i for i, name in enumerate([*record.operands, *record.residuals])}, "out": -1}
        simple = not record.variadic and all(name in places for name in needs)
        self.positions = tuple(places[name] for name in needs) if simple else None


class Op:
    """The definition of one op; every consumer reads this record.

    name      as in messages, drawings and the table
    kernel    the NumPy function: operands positional, attributes keyword-only
    kind      one of the kinds above
    operands  the names of the positional parameters; a last `*name` is variadic
    rules     the derivative for each operand index that has one
    ufunc     NumPy's ufunc if the kernel is just that; in-place ops write through its `out=`
    residuals values that the kernel computes on its way and returns after the result, by name, so that a rule need
              not compute them again; each with the function of the operands that it is, for higher derivatives, or
              None if those reach the operands without it
    shared    values that several rules need and that are computed once for each gradient that arrives; see `share`
    expects   the shapes an error message names
    onnx      the operator of the same meaning in ONNX, if there is one
    part      whether it is a view of some of the values, each once: a gradient is then added just there
    call      the function that records, which `op` returns
    backwards the order in which a walk back asks for gradients, () for as they come: a layer's parameters before its
              input, whose gradient can then take the memory of what theirs were made of
    """

    call: Callable[..., Any]  # the recording function; set once it is made

    def __init__(
        self,
        name: str,
        kernel: Callable[..., Any],
        kind: str,
        ufunc: Any,
        residuals: dict[str, Callable[..., Any] | None],
        expects: str | None,
        onnx: str | None,
        part: bool = False,
    ) -> None:
        self.name, self.kernel, self.kind, self.ufunc = name, kernel, kind, ufunc
        self.residuals, self.expects, self.onnx, self.part = residuals, expects, onnx, part
        self.operands, self.attributes, self.variadic = signature(kernel)
        self.backwards = () if self.variadic else (*range(1, len(self.operands)), 0)
        self.rules: dict[int, Derivative] = {}
        self.shared: dict[str, Derivative] = {}
        self.keeps: dict[tuple[bool, ...], tuple[bool, ...]] = {}
        # the same for fixed arities, by the bits of which operands are tracked: the recorder needs a call once only
        self.masks: list[tuple[bool, ...] | None] = []
        self.inplace = f"{name}_"
        self.saves = False  # whether some rule needs a value, so that a second backward needs retain_graph

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join(self.operands)})>"

    def rule(self, index: int) -> Derivative | None:
        """The rule of operand `index`; all variadic operands share one."""
        return self.rules.get(min(index, len(self.operands) - 1))

    def keep(self, tracked: tuple[bool, ...]) -> tuple[bool, ...]:
        """Which operands, and last the result, must be kept if those operands are tracked."""
        found = self.keeps.get(tracked)
        if found is None:
            found = self.keeps[tracked] = tuple(self._keep(tracked))
        return found

    def mask(self, bits: int) -> tuple[bool, ...]:
        """`keep` for the operands whose bits are set, put where the recorder looks first."""
        found = self.masks[bits] = tuple(self._keep(tuple([bool(bits >> i & 1) for i in range(len(self.operands))])))
        return found

    def _keep(self, tracked: tuple[bool, ...]) -> Iterator[bool]:
        needed: set[str] = set()
        for index, wanted in enumerate(tracked):
            rule = self.rule(index) if wanted else None
            if rule is not None:
                needed.update(rule.needs)
        for name in reversed(self.shared):  # one may need those before it
            if name in needed:
                needed.update(self.shared[name].needs)
        for name in needed.intersection(self.residuals):
            formula = self.residuals[name]
            needed.update(() if formula is None else signature(formula)[0])
        for index in range(len(tracked)):
            name = self.operands[min(index, len(self.operands) - 1)]
            yield name in needed
        for name in self.residuals:
            yield name in needed
        yield "out" in needed


def op(
    kind: str,
    *,
    name: str | None = None,
    ufunc: Any = None,
    residuals: dict[str, Callable[..., Any] | None] | None = None,
    expects: str | None = None,
    onnx: str | None = None,
    part: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Tensor]]:
    """Turn a NumPy kernel into a function that computes on arrays and records on tensors."""
    from byhand.core.recorder import recorder  # the recorder reads Op; kept apart so that each fits on a page

    def define(kernel: Callable[..., Any]) -> Callable[..., Tensor]:
        record = Op(name or kernel.__name__, kernel, kind, ufunc, residuals or {}, expects, onnx, part)
        if record.name in OPS:
            raise ValueError(f"the table of ops has a {record.name} already")
        OPS[record.name] = record
        record.call = call = functools.wraps(kernel)(recorder(record))
        call.op = record  # type: ignore[attr-defined]
        for watcher in WATCHERS:
            watcher(record)
        return call

    return define


def share(function: Callable[..., Any], **values: Rule) -> None:
    """Name values that several rules of an op need: each is computed once for a gradient that arrives.

    Written as rules are, by functions of `g` and of what they save; called before `derive`, whose rules may then ask
    for the names; so may the values that follow. Attention's probabilities, say, are computed once for q, k and v.
    """
    record: Op = function.op  # type: ignore[attr-defined]
    for name, rule in values.items():
        record.shared[name] = Derivative(rule, tuple(n for n in signature(rule)[0] if n != "g"), record)


def derive(function: Callable[..., Any], **rules: Rule) -> None:
    """Attach derivative rules; a rule's parameter names are exactly what it saves.

    `g` is the incoming gradient, `out` the result, the name of an operand or a residual its value, `<operand>_shape`
    its shape, an attribute's name that attribute, a name given to `share` that value. Rules of a variadic operand `xs`
    may also ask for `i`, which one of them is meant, and for `xs_shapes`.
    """
    record: Op = function.op  # type: ignore[attr-defined]
    for operand, rule in rules.items():
        needs = tuple(n for n in signature(rule)[0] if n != "g")
        known = {"out", "i", *record.operands, *record.residuals, *record.attributes, *record.shared}
        known |= {f"{name}_shape" for name in record.operands} | {f"{name}_shapes" for name in record.operands}
        if not known.issuperset(needs):
            raise ValueError(f"the rule of {record.name} for {operand} asks for {sorted(set(needs) - known)}")
        record.rules[record.operands.index(operand)] = Derivative(rule, needs, record)
        record.saves |= any(name in (*record.operands, *record.residuals, *record.shared, "out") for name in needs)
    if not record.variadic:
        record.masks[:] = [None] * 2 ** len(record.operands)
