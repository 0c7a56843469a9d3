"""Functions as text: their own source without annotations, and with all that they call, so that it stands alone.

Called by `reading` for kernels that are more than a formula.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from types import FunctionType, ModuleType
from typing import Any

from byhand.program.longhand.expression import literal, text


class UnreadableError(Exception):
    """A function whose text does not stand alone."""


@functools.cache
def definition(function: Callable[..., Any]) -> ast.FunctionDef:
    """The tree of a function, without decorators. It is shared: copy it before you change it."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError) as error:
        raise UnreadableError(f"{function} has no source") from error
    if not isinstance(tree, ast.FunctionDef):
        raise UnreadableError(f"{function} is no def")
    return tree


def statements(function: Callable[..., Any]) -> list[ast.stmt]:
    """Its body, without the docstring."""
    body = definition(function).body
    return body[1:] if ast.get_docstring(definition(function)) is not None else body


def sentence(function: Callable[..., Any]) -> str:
    """The first line of its docstring."""
    return (inspect.getdoc(function) or "").partition("\n")[0]


def printed(function: Callable[..., Any], title: str, body: list[ast.stmt] | None = None) -> str:
    """The text of a function under the name `title`; with another body where one is given."""
    kept = None if body is None else {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
    lines = [f"def {title}({parameters(function, kept)}):"]
    if body is not None:
        doc = [f'"""{sentence(function)}"""'] if sentence(function) else []
        lines += textwrap.indent("\n".join([*doc, *map(text, body)]), "    ").splitlines()
    else:
        lines += _verbatim(function)
    return "\n".join(lines)


def _verbatim(function: Callable[..., Any]) -> list[str]:
    """The body as it stands, comments and all, without what only a type checker reads."""
    tree = definition(function)
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            line, ends = lines[node.lineno - 1], node.target.end_col_offset
            lines[node.lineno - 1] = f"{line[:ends]} = {line[node.value.col_offset :]}"
    return [re.sub(r"\s*# type: ignore.*", "", line) for line in lines[tree.body[0].lineno - 1 :]]


def parameters(function: Callable[..., Any], kept: set[str] | None = None) -> str:
    """The parameters without annotations; only those of `kept`, if given."""
    args = definition(function).args
    plain = [arg.arg for arg in (*args.posonlyargs, *args.args)]
    first = len(plain) - len(args.defaults)
    shown = [
        name if i < first else f"{name}={ast.unparse(args.defaults[i - first])}"
        for i, name in enumerate(plain) if kept is None or name in kept
    ]  # fmt: skip
    if args.vararg is not None:
        shown.append(f"*{args.vararg.arg}")
    named = [arg.arg for arg in args.kwonlyargs if kept is None or arg.arg in kept]
    if named and args.vararg is None:
        shown.append("*")
    return ", ".join([*shown, *named])


PLAIN = {
    "erf": """def erf(x):
    \"\"\"2/√π ∫₀ˣ e^(−t²) dt\"\"\"
    return np.vectorize(math.erf, otypes=[x.dtype])(x)""",
}
"""Functions that NumPy lacks and Python has for single numbers: the kernels' own are faster, and pages long."""


class Surroundings:
    """What functions need around them, in the order in which it must stand.

    functions  name → text
    constants  name → text of the assignment
    modules    what must be imported beside numpy
    """

    def __init__(self) -> None:
        self.functions: dict[str, str] = {}
        self.constants: dict[str, str] = {}
        self.modules: set[str] = set()

    def add(self, function: Callable[..., Any], body: list[ast.stmt] | None = None, own: Sequence[str] = ()) -> None:
        """All that the function names and does not define itself; `own` are further names that it may use.

        Raises UnreadableError for what has no text.
        """
        outside = function.__globals__
        for name in sorted(_free_names(definition(function), body) - set(own)):
            if name not in outside:
                if hasattr(builtins, name):
                    continue
                raise UnreadableError(f"{name} is nowhere")
            self._need(name, outside[name])

    def _need(self, name: str, thing: Any) -> None:
        if name in self.functions or name in self.constants:
            return
        if isinstance(thing, ModuleType):
            if thing.__name__ not in ("numpy", "math"):
                raise UnreadableError(f"{name} is the module {thing.__name__}")
            self.modules |= {thing.__name__} - {"numpy"}
            return
        if name in PLAIN:
            self.modules.add("math")
            self.functions[name] = PLAIN[name]
            return
        kernel = getattr(getattr(thing, "op", None), "kernel", thing)  # an op is its kernel on arrays
        if isinstance(kernel, FunctionType):
            self.add(kernel)
            self.functions[name] = printed(kernel, name)
            return
        try:
            self.constants[name] = f"{name} = {text(literal(thing))}"
        except ValueError as error:
            raise UnreadableError(f"{name} is a {type(thing).__name__}") from error


def _free_names(tree: ast.FunctionDef, body: list[ast.stmt] | None) -> set[str]:
    """Names that are read and neither parameters nor locals; those of annotations do not count."""
    nodes = [node for part in (tree.body if body is None else body) for node in ast.walk(part)]
    args = tree.args
    own = {a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, [args.vararg, args.kwarg]))}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    own |= {a.arg for node in nodes if isinstance(node, ast.Lambda) for a in node.args.args}
    return {node.id for node in nodes if isinstance(node, ast.Name)} - own
