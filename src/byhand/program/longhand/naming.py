"""What the values of a program are called: z1, a1, z2, loss; p for probabilities; d_z1 for a gradient.

Called by `listing`. A value without a name of its own need not have a line of its own; if it has one it is h1, h2, ….
"""

from __future__ import annotations

import builtins
import itertools
import keyword
from collections.abc import Mapping
from typing import Any

import numpy as np

from byhand.program.ir import (
    ARGUMENT,
    BACKWARD,
    CONSTANT,
    DRAW,
    FORWARD,
    NUMBER,
    UPDATE,
    Node,
    Program,
    Value,
    identifier,
)
from byhand.program.longhand.layers import kind_of, state_names

RESERVED = {"np", "rng", *[f"rng{i}" for i in range(2, 9)], "n", "math", "self", *keyword.kwlist, *dir(builtins)}
RESULTS = {"softmax": "p", "log_softmax": "log_p"}
STEMS = {BACKWARD: "g", UPDATE: "u"}
OWN_STEMS = {"sub": "diff", "reshape": "flat"}
AFFINE = {"fc", "conv", "lstm", "gru", "rnn"}


class Names:
    """Names by value, each unlike all others.

    wishes    what values would be called
    numbered  the names that are a stem and a number, with the stem; see `counted_anew`
    """

    def __init__(self, program: Program, reserved: set[str], titles: Mapping[str, str]) -> None:
        self.taken = RESERVED | reserved
        self.wishes: dict[Value, str] = {}
        self.numbered: dict[str, str] = {}
        self._names: dict[Value, str] = {}
        self._stems = {out: _stem(node, out) for node in program.nodes for out in node.outputs}
        states = state_names(program)
        for value in program.given:
            wish = titles.get(value.name) or states.get(value) or identifier(value.name) or _given_stem(value)
            self._names[value] = self.unlike(wish)
        _Course(program, self).name()

    def unlike(self, wish: str) -> str:
        """A new name as near to this one as can be."""
        name, number = wish, 2
        while name in self.taken:
            name, number = f"{wish}_{number}", number + 1
        self.taken.add(name)
        return name

    def count(self, stem: str) -> str:
        """A new name: the stem with the next free number."""
        taken = self.taken.union(self.wishes.values())
        name = next(name for i in itertools.count(1) if (name := f"{stem}{i}") not in taken)
        self.taken.add(name)
        self.numbered[name] = stem
        return name

    def __contains__(self, value: Value) -> bool:
        """Whether a value has a name, or a wish for one."""
        return value in self._names or value in self.wishes

    def __getitem__(self, value: Value) -> str:
        """The name of a value; one is found for it if it has none."""
        if value not in self._names:
            wish = self.wishes.get(value)
            stem = self._stems.get(value, "h")
            self._names[value] = self.count(stem) if not wish and len(stem) == 1 else self.unlike(wish or stem)
        return self._names[value]

    def found(self, value: Value) -> str | None:
        """The name of a value, if it has one by now."""
        return self._names.get(value)

    def __setitem__(self, value: Value, name: str) -> None:
        self._names[value] = name


class _Course:
    """Gives the names of the courses, walking through the forward section."""

    def __init__(self, program: Program, names: Names) -> None:
        self.program, self.names = program, names
        self.producers, self.uses = program.producers(), program.uses()
        self.states = set(program.states)
        self.stage: dict[Value, int] = {}  # after how many layers a value comes
        self.layers = 0

    def name(self) -> None:
        forward = [node for node in self.program.nodes if node.section == FORWARD]
        self.several = sum(self._layer(node) is not None for node in forward) > 1
        for node in forward:
            self._forward(node)
        loss = next((x for x in self.program.outputs if isinstance(x, Value)), None)
        if loss is not None and loss.shape == () and any(n.section == BACKWARD for n in self.program.nodes):
            self.names.wishes.setdefault(loss, "loss")
        for node in self.program.nodes:
            if node.op.name == "sigmoid" and (node.rule or ("",))[0] == "binary_cross_entropy_with_logits":
                self.names.wishes.setdefault(node.out, "p")
        made = [out for node in self.program.nodes for out in node.outputs]
        claimed = {out.gradient_of for out in made}
        for out in made:
            of = self._source(out.gradient_of, claimed)
            if of is not None and of in self.names and out not in self.names.wishes:
                base = self.names[of] if of in self.program.given else self.names.wishes[of]
                self.names.wishes[out] = f"d_{base}"

    def _source(self, of: Value | None, claimed: set[Value | None]) -> Value | None:
        """The value whose gradient is to be named: for that of z − y, which has no name, z."""
        node = None if of is None or of in self.names else self.producers.get(of)
        if node is None or node.op.name not in ("add", "sub"):
            return of
        for x in node.inputs[: 2 if node.op.name == "add" else 1]:
            if isinstance(x, Value) and x in self.names.wishes and x not in claimed and x.shape == node.out.shape:
                return x
        return of

    def _forward(self, node: Node) -> None:
        layer = self._layer(node)
        if layer is not None:
            self.layers += 1
            self._wish(node.out, "z", self.layers)
            return
        stages = [self.stage[x] for x in node.values if x in self.stage]
        if not node.outputs:
            return
        residuals = list(getattr(node.op, "residuals", None) or ())
        for title, out in zip(residuals, node.outputs[1:], strict=False):
            self.names.wishes[out] = title
        if node.op.name in RESULTS:
            self.names.wishes[node.out] = RESULTS[node.op.name]
        stage = max(stages, default=0)
        if node.op.name == "normalize":
            self._normalized(node, stage)
        if node.op.name == "normalize" or not stages:
            return
        if node.op.name == "mul" and self._mask(node) is not None:
            mask = self._mask(node)
            assert mask is not None
            self._wish(self._scaled(node.out), "h", stage)
            self._wish(mask, "mask", stage)
            del self.stage[mask]
        elif _activates(node):
            self._wish(node.out, "a", stage)
        elif node.op.kind == "view" or node.op.name in ("add", "sub", "mul", "true_divide"):
            self.stage[node.out] = stage
            bias = node.inputs[1] if node.op.name == "add" else None
            if isinstance(bias, Value) and bias in self.states and self.names[bias].endswith("_bias"):
                # of a normalisation, when predicting
                self.names.wishes.setdefault(node.out, self.names[bias].removesuffix("_bias"))

    def _wish(self, value: Value, stem: str, stage: int) -> None:
        self.names.wishes[value] = f"{stem}{stage}" if self.several else stem
        self.stage[value] = stage

    def _layer(self, node: Node) -> Node | None:
        """The node, if it is an affine map by a state; for a product that a bias is added to, the sum."""
        if node.op.name in ("add", "sub"):
            x, y = (self.producers.get(v) if isinstance(v, Value) else None for v in node.inputs)
            product, bias = (x, node.inputs[1]) if x is not None and self._is_affine(x) else (y, node.inputs[0])
            known = product is not None and self._is_affine(product) and product.op.name == "matmul"
            return node if known and self._from_state(bias) else None
        if not self._is_affine(node):
            return None
        uses = [user for user in self.uses.get(node.out, ()) if user.section == FORWARD]
        if node.op.name == "matmul" and len(uses) == 1 and uses[0].op.name == "add":
            (use,) = uses
            if any(self._from_state(x) for x in use.inputs if x is not node.out):
                return None  # the sum is the layer
        return node

    def _is_affine(self, node: Node) -> bool:
        return kind_of(node) in AFFINE and any(self._from_state(x) for x in node.inputs[1:])

    def _from_state(self, x: Any) -> bool:
        """Whether it is a state, or a view of one."""
        while isinstance(x, Value) and x not in self.states:
            node = self.producers.get(x)
            if node is None or node.op.kind != "view":
                return False
            x = node.inputs[0]
        return isinstance(x, Value)

    def _normalized(self, node: Node, stage: int) -> None:
        """The result of a normalisation, and the statistics that it reads."""
        title, numbered = self._title(node)
        title = f"{title}{stage}" if numbered and self.several else title
        center, rate = node.inputs[3:5]
        self.names.wishes |= {node.out: title, rate: f"{title}_inv_std" if center else f"{title}_inv_rms"}
        if center:
            self.names.wishes[center] = f"{title}_mean"
        self.stage[node.out] = stage
        below = self.producers.get(rate)
        while below is not None and below.op.name in ("true_divide", "sqrt", "rsqrt", "reciprocal", "add"):
            inner = next(iter(below.values), None)
            if below.op.name == "add" and inner is not None:
                self.names.wishes[inner] = f"{title}_var" if center else f"{title}_mean_square"
            below = self.producers.get(inner) if inner is not None and below.op.name != "add" else None

    def _title(self, node: Node) -> tuple[str, bool]:
        """What a normalised value is called, and whether the name wants a number."""
        weight = node.inputs[1]
        if isinstance(weight, Value) and self._from_state(weight):
            while weight not in self.states:
                weight = self.producers[weight].inputs[0]
            return self.names[weight].rpartition("_")[0] or self.names[weight], False
        return kind_of(node) or "h", True

    def _mask(self, node: Node) -> Value | None:
        """The operand that is made of a draw alone: the mask of dropout."""
        for x in node.values:
            if x not in self.stage and self._is_drawn(x):
                return x
        return None

    def _scaled(self, x: Value) -> Value:
        """What a masked value is once it is divided by the probability of being kept."""
        uses = self.uses.get(x, [])
        quotient = len(uses) == 1 and uses[0].op.name == "true_divide" and not isinstance(uses[0].inputs[1], Value)
        return uses[0].out if quotient else x

    def _is_drawn(self, x: Any) -> bool:
        node = self.producers.get(x)
        if node is None:
            return False
        return node.op is DRAW or (len(list(node.values)) == 1 and all(map(self._is_drawn, node.values)))


def _given_stem(value: Value) -> str:
    """What a given value without a name is called."""
    if value.origin == CONSTANT and value.size > 1 and not np.any(value.data):
        return "zeros"
    return {NUMBER: "c", ARGUMENT: "x"}.get(value.origin, "constant")


def _stem(node: Node, out: Value) -> str:
    if out.dtype is None:
        return "c"
    return OWN_STEMS.get(node.op.name, "h") if node.section == FORWARD else STEMS[node.section]


def _activates(node: Node) -> bool:
    module = getattr(getattr(node.op, "kernel", None), "__module__", "")
    plain = module.endswith((".activation", ".trigonometry", ".special")) or node.op.name in ("exp", "softplus")
    return plain and node.op.name not in RESULTS
