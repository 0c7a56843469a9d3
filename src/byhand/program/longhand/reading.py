"""How one node reads: as a formula, as a few lines, or as the call of a function that stands above the step.

The text is the kernel's own source with what shapes and attributes settle left out. A kernel of one `return`, or one
that only saves temporaries (`out = x - center; out *= rate`), is a formula; one that works on a copy is a few lines;
the rest are functions. `forms` says where something else than the kernel is printed.
"""

from __future__ import annotations

import ast
import builtins
import keyword
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.program.ir import Node, Value, identifier
from byhand.program.longhand import forms, recurrences
from byhand.program.longhand.expression import Tree, copied, is_atom, literal, name, names_in, substituted
from byhand.program.longhand.source import Surroundings, UnreadableError, definition, printed, statements
from byhand.program.longhand.static import Settling, StandIn

MOST_LINES = 5


@dataclass
class Reading:
    """The text of a node, in terms of names that stand for its inputs.

    parameters   a name for each input
    statements   what comes first; it assigns no parameter
    results      a formula for each output
    around       functions and constants that must stand above
    ignored      what may happen without being an error, as `np.errstate` names it: "over", "divide"
    """

    parameters: list[str]
    statements: list[ast.stmt]
    results: list[Tree]
    around: Surroundings = field(default_factory=Surroundings)
    ignored: set[str] = field(default_factory=set)

    def count(self, parameter: str) -> int:
        """How often an input stands in the text."""
        return sum([parameter == found for part in (*self.statements, *self.results) for found in names_in(part)])


class _NoFormulaError(Exception):
    pass


def read(node: Node, above: Mapping[str, str]) -> Reading:
    """The text of a node of the table of ops. `above` are the functions that stand there already, by name."""
    parameters = _parameters(node)
    formed = forms.form(node, parameters)
    if formed is not None:
        around = Surroundings()
        around.add(node.op.kernel, [*formed[0], *map(ast.Expr, formed[1])], parameters)
        return Reading(parameters, *formed, around)
    kernel = node.op.kernel
    known = _known(node, parameters)
    settling = Settling(known, kernel.__globals__)
    try:
        residual = _settled([copied(part) for part in statements(kernel)], settling)
        reading = _formula(node, parameters, residual) or _lines(node, parameters, residual)
        reading.ignored = _ignored(definition(kernel))
        return reading
    except (_NoFormulaError, UnreadableError):
        return _function(node, parameters, Settling(known, kernel.__globals__), above)


def _ignored(tree: ast.FunctionDef) -> set[str]:
    """What a kernel tells NumPy to ignore."""
    calls = [item.context_expr for part in ast.walk(tree) if isinstance(part, ast.With) for item in part.items]
    return {str(k.arg) for call in calls if isinstance(call, ast.Call) for k in call.keywords}


def _parameters(node: Node) -> list[str]:
    """The operands' names; those of variadic operands are numbered."""
    operands = list(node.op.operands)
    if not node.op.variadic:
        return operands
    fixed = operands[:-1]
    return [*fixed, *[f"{operands[-1]}{i + 1}" for i in range(len(node.inputs) - len(fixed))]]


def _known(node: Node, parameters: list[str]) -> dict[str, Any]:
    """Operands as what is known of them, and the attributes."""
    operands = [_stand_in(p, x) for p, x in zip(parameters, node.inputs, strict=True)]
    known = {**dict(zip(parameters, operands, strict=True)), **node.attrs}
    if node.op.variadic:
        known[node.op.operands[-1]] = tuple(operands[len(node.op.operands) - 1 :])
    return known


def _stand_in(parameter: str, x: Any) -> Any:
    if isinstance(x, np.generic):
        return StandIn(parameter, Value((), x.dtype))
    if isinstance(x, int | float | complex):
        return StandIn(parameter, Value((), None))
    return StandIn(parameter, x) if isinstance(x, Value) else x


# what is left when all is settled that can be


def _settled(body: list[ast.stmt], settling: Settling) -> list[ast.stmt]:
    """The statements that remain; the last one is the return. Raises _NoFormulaError for loops and the like."""
    left: list[ast.stmt] = []
    for statement in body:
        match statement:
            case ast.If(test=test, body=then, orelse=otherwise):
                truth = settling.truth(test)
                if truth is None:
                    raise _NoFormulaError
                left += _settled(then if truth else otherwise, settling)
            case ast.With(items=[ast.withitem(context_expr=ast.Call(func=ast.Attribute(attr="errstate")))], body=inner):
                left += _settled(inner, settling)  # what may overflow there may do so: see `ignored`
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                if not set(map(ast.unparse, targets)).isdisjoint(names_in(statement.value)):
                    raise _NoFormulaError
                left += _settled([ast.Assign([t], v) for t, v in zip(targets, values, strict=True)], settling)
            case ast.Assign(targets=[ast.Name(id=local)], value=value):
                left += _assigned(local, value, settling)
            case ast.Assign() | ast.AugAssign() | ast.Expr() | ast.Return():
                left.append(settling.visit(statement))
            case _:
                raise _NoFormulaError
        if left and isinstance(left[-1], ast.Return):
            break
    return left


def _assigned(local: str, value: Tree, settling: Settling) -> list[ast.stmt]:
    """An assignment, unless it is settled."""
    tree = settling.visit(value)
    if isinstance(tree, ast.Call) and ast.unparse(tree.func) == "np.asarray" and len(tree.args) == 1:
        tree = tree.args[0]
    if isinstance(tree, ast.Name) and tree.id == local:  # x = np.asarray(x)
        return []
    found, settled = settling.settled(value)
    if found and not isinstance(settled, np.ndarray):
        settling.known[local] = settled
        return []
    settling.known.pop(local, None)
    settling.unknown.add(local)
    return [ast.Assign([ast.Name(local, ast.Store())], tree)]


# a formula


def _formula(node: Node, parameters: list[str], body: list[ast.stmt]) -> Reading | None:
    """All assignments put into the result, if that repeats nothing but names."""
    known: dict[str, Tree] = {}
    *steps, last = body
    if len(steps) and not _one_dtype(node):
        return None
    for step in steps:
        found = _effect(step)
        if found is None:
            return None
        local, tree = found
        placed = _placed(tree, known)
        if placed is None:
            return None
        known[local] = placed
    assert isinstance(last, ast.Return)
    if last.value is None:
        return None
    whole = _placed(_without_out(last.value), known)
    if whole is None:
        return None
    results = whole.elts if node.op.residuals and isinstance(whole, ast.Tuple) else [whole]
    if len(results) != len(node.outputs):
        return None
    around = Surroundings()
    around.add(node.op.kernel, [ast.Expr(tree) for tree in results], parameters)
    return Reading(parameters, [], list(results), around)


def _one_dtype(node: Node) -> bool:
    """Whether all floating operands have one dtype: then what is done in place has the same when it is not."""
    return len({x.dtype for x in node.values if x.dtype is not None and x.dtype.kind == "f"}) <= 1


def _effect(step: ast.stmt) -> tuple[str, Tree] | None:
    """The local that a statement changes, and what it is then."""
    match step:
        case ast.Assign(targets=[ast.Name(id=local)], value=value):
            return local, value
        case ast.AugAssign(target=ast.Name(id=local), op=op, value=value):
            return local, ast.BinOp(name(local), op, value)
        case ast.Expr(value=ast.Call() as call):
            out = _out(call)
            return None if out is None else (out, _without_out(call))
    return None


def _out(call: ast.Call) -> str | None:
    """The name of the array that a ufunc's call writes to."""
    ufunc = _ufunc(call)
    if ufunc is None:
        return None
    given = [k.value for k in call.keywords if k.arg == "out"] or call.args[ufunc.nin :]
    return given[0].id if given and isinstance(given[0], ast.Name) else None


def _ufunc(call: ast.Call) -> Any:
    match call.func:
        case ast.Attribute(value=ast.Name(id="np"), attr=attr) if isinstance(getattr(np, attr, None), np.ufunc):
            return getattr(np, attr)
    return None


def _without_out(tree: Tree) -> Tree:
    """A ufunc's call without the place for its result."""
    if isinstance(tree, ast.Call) and (ufunc := _ufunc(tree)) is not None:
        return ast.Call(tree.func, tree.args[: ufunc.nin], [k for k in tree.keywords if k.arg != "out"])
    return tree


def _placed(tree: Tree, known: dict[str, Tree]) -> Tree | None:
    """The tree with locals replaced by what they are; None if that repeats more than a name."""
    counts = Counter(found for found in names_in(tree) if found in known)
    if any(n > 1 and not is_atom(known[local]) for local, n in counts.items()):
        return None
    placed: Tree = substituted(tree, known)
    return placed


# a few lines


def _lines(node: Node, parameters: list[str], body: list[ast.stmt]) -> Reading:
    """The statements as they stand. Raises _NoFormulaError if they are many, or call functions of their module."""
    *steps, last = body
    calls = [n.func for part in body for n in ast.walk(part) if isinstance(n, ast.Call)]
    if len(steps) > MOST_LINES or any(isinstance(f, ast.Name) and not hasattr(builtins, f.id) for f in calls):
        raise _NoFormulaError
    if not isinstance(last, ast.Return) or last.value is None:
        raise _NoFormulaError
    results = last.value.elts if node.op.residuals and isinstance(last.value, ast.Tuple) else [last.value]
    writes = [p for s in steps for p in ast.walk(s) if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)]
    if len(results) != len(node.outputs) or any(w.id in parameters for w in writes):
        raise _NoFormulaError
    around = Surroundings()
    around.add(node.op.kernel, body, parameters)
    return Reading(parameters, steps, list(results), around)


# a function


class _Branches(ast.NodeTransformer):
    """Keeps the branch of each condition that is settled."""

    def __init__(self, settling: Settling) -> None:
        self.settling = settling

    def visit_If(self, node: ast.If) -> Any:
        truth = self.settling.truth(node.test)
        if truth is None:
            return self.generic_visit(node)
        return [self.visit(part) for part in (node.body if truth else node.orelse)]

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        truth = self.settling.truth(node.test)
        return self.generic_visit(node) if truth is None else self.visit(node.body if truth else node.orelse)


def _function(node: Node, parameters: list[str], settling: Settling, above: Mapping[str, str]) -> Reading:
    """A call; the kernel, less the branches it does not take, stands above. Raises UnreadableError."""
    op, kernel = node.op, recurrences.function(node)
    body = statements(kernel)
    settling.unknown |= {n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and _stored(n)}
    branches: list[Any] = []
    for part in map(copied, body):
        after = _Branches(settling).visit(part)
        branches += after if isinstance(after, list) else [after]
    same = [ast.dump(part) for part in branches] == [ast.dump(part) for part in body]
    used = {n.id for part in branches for n in ast.walk(part) if isinstance(n, ast.Name)}
    title, number = identifier(op.name), 2
    title = stem = f"{title}_of" if keyword.iskeyword(title) or hasattr(builtins, title) else title
    while above.get(title, whole := printed(kernel, title, None if same else branches)) != whole:
        title, number = f"{stem}_{number}", number + 1  # the same op for other branches
    around = Surroundings()
    around.add(kernel, branches)
    around.functions[title] = whole
    fixed = definition(kernel).args
    given = zip(parameters, node.inputs, strict=True)
    kept = [name(p) if x is not None else literal(None) for p, x in given if op.variadic or same or p in used]
    keywords = [ast.keyword(a.arg, literal(node.attrs[a.arg])) for a in fixed.kwonlyargs if same or a.arg in used]
    call = ast.Call(name(title), kept, keywords)
    if not op.residuals:
        return Reading(parameters, [], [call], around)
    outs = [ast.Name(f"result{i}", ast.Store()) for i in range(len(node.outputs))]
    statement = ast.Assign([ast.Tuple(list[Tree](outs), ast.Store())], call)
    return Reading(parameters, [statement], [name(out.id) for out in outs], around)


def _stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)
