"""The table of a model: every module with its output shape and what it learns.

Called as `model.summary()` or `summary(model)`. It knows modules by their methods alone, so that
`Module` can offer it as a method of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import UsageError
from byhand.core.generator import default_generator
from byhand.core.tape import no_grad
from byhand.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from rich.table import Table

    from byhand.nn.module import Module

NONE = "–"
HEADINGS = ("module", "layer", "output", "parameters")


@dataclass
class Row:
    """One module of the table.

    path        dotted, as in `state_dict`; "" for the model itself
    layer       the module in one short line
    output      the shape or shapes of what it returned last, None if it was not run
    calls       how often it was run
    parameters  how many numbers it holds itself, not counting its children nor what stands in an earlier row
    trainable   how many of those ask for a gradient
    shared      whether all its parameters stand in an earlier row
    """

    path: str
    layer: str
    parameters: int = 0
    trainable: int = 0
    shared: bool = False
    output: Any = None
    calls: int = 0


@dataclass
class Summary:
    """The rows and totals; `print` shows them as plain text, rich's console as a table."""

    rows: list[Row]
    parameters: int
    trainable: int
    buffers: int
    bytes: int
    ran: bool = field(default=False, repr=False)

    def cells(self) -> list[tuple[str, ...]]:
        """The table's text, a tuple for each row; without the column of outputs if nothing was run."""
        rows = []
        for row in self.rows:
            count = "shared" if row.shared else f"{row.parameters:,}" if row.parameters else NONE
            output = [_shapes(row)] if self.ran else []
            rows.append((row.path or "(model)", row.layer, *output, count))
        return rows

    def headings(self) -> tuple[str, ...]:
        """The titles of the columns."""
        return HEADINGS if self.ran else tuple(h for h in HEADINGS if h != "output")

    def total(self) -> str:
        """The last line: parameters, how many of them train, buffers, memory."""
        frozen = self.parameters - self.trainable
        parts = [f"{self.parameters:,} parameters"]
        if frozen:
            parts.append(f"{self.trainable:,} of them trainable")
        if self.buffers:
            parts.append(f"{self.buffers:,} values in buffers")
        return ", ".join([*parts, _size(self.bytes)])

    def __str__(self) -> str:
        table = [self.headings(), *self.cells()]
        widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
        lines = [_line(row, widths) for row in table]
        rule = "─" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, self.total()])

    def __rich__(self) -> Table:
        from rich.box import SIMPLE_HEAD  # 40 ms of import that nobody pays who prints no table
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, caption=self.total(), caption_justify="left", caption_style="")
        for heading in self.headings():
            table.add_column(heading, justify="right" if heading == "parameters" else "left")
        for row in self.cells():
            table.add_row(*[Text(cell) for cell in row])
        return table


def summary(model: Module, input_size: Any = None, *, example: Any = None, dtype: DTypeLike = np.float32) -> Summary:
    """What a model consists of: its modules, the shapes that they return and the parameters that they hold.

    model       any Module
    input_size  the shape of an input with its batch axis, as (50, 784), or a list of them for several inputs
    example     instead: an input, or a tuple of inputs, to run the model on
    dtype       of the zeros that stand for an input of `input_size`

    Without an input nothing is run, and the column of outputs is left out. The run is in evaluation mode and without
    gradients; modes and the random state are as before afterwards. Shared parameters count once, where they come first.

    >>> from byhand.nn.container import Sequential
    >>> Sequential().summary().parameters
    0
    """
    inputs = _inputs(input_size, example, dtype)
    rows, by_id = _rows(model)
    if inputs is not None:
        _run(model, inputs, by_id)
    parameters = list(model.parameters())
    buffers = list(model.buffers())
    return Summary(
        rows,
        parameters=sum(row.parameters for row in rows),
        trainable=sum(row.trainable for row in rows),
        buffers=sum(b.array.size for b in buffers),
        bytes=sum(t.array.nbytes for t in [*parameters, *buffers]),
        ran=inputs is not None,
    )


def _inputs(input_size: Any, example: Any, dtype: DTypeLike) -> tuple[Any, ...] | None:
    if isinstance(input_size, (Tensor, np.ndarray)):
        input_size, example = None, input_size
    if example is not None:
        if input_size is not None:
            raise UsageError("summary takes input_size or example, not both")
        examples = example if isinstance(example, (tuple, list)) else (example,)
        return tuple([Tensor(x) if isinstance(x, np.ndarray) else x for x in examples])
    if input_size is None:
        return None
    sizes = [input_size] if _is_shape(input_size) else input_size
    if not isinstance(sizes, Sequence) or not all(_is_shape(size) for size in sizes):
        raise UsageError(
            f"input_size is a shape with its batch axis, as (50, 784), or a list of shapes; got {input_size!r}"
        )
    return tuple([Tensor(np.zeros(size, dtype)) for size in sizes])


def _is_shape(size: Any) -> bool:
    return (
        isinstance(size, Sequence) and not isinstance(size, str) and all(isinstance(n, (int, np.integer)) for n in size)
    )


def _rows(model: Module) -> tuple[list[Row], dict[int, Row]]:
    rows: list[Row] = []
    by_id: dict[int, Row] = {}
    counted: set[int] = set()
    for path, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        new = [p for p in own if id(p) not in counted]
        counted.update(map(id, new))
        row = Row(
            path,
            module.describe().removesuffix("()"),
            parameters=sum(p.array.size for p in new),
            trainable=sum(p.array.size for p in new if p.requires_grad),
            shared=bool(own) and not new,
        )
        rows.append(row)
        by_id[id(module)] = row
    return rows, by_id


def _run(model: Module, inputs: tuple[Any, ...], by_id: dict[int, Row]) -> None:
    """One forward pass that leaves the model as it was, with a hook on each module that notes the shapes."""

    def note(module: Module, args: Any, output: Any) -> None:
        row = by_id[id(module)]
        row.calls += 1
        row.output = _shape(output)

    modes = [(module, module.training) for module in model.modules()]
    state = default_generator.get_state()
    with ExitStack() as stack:
        stack.callback(_restore, modes, state)
        for module, _ in modes:
            stack.enter_context(module.register_forward_hook(note))
        stack.enter_context(no_grad())
        model.eval()
        model(*inputs)


def _restore(modes: Iterable[tuple[Module, bool]], state: dict[str, Any]) -> None:
    default_generator.set_state(state)
    for module, mode in modes:
        module.training = mode


def _shape(output: Any) -> Any:
    """The shapes in what a module returned, in the same nesting."""
    if isinstance(output, dict):
        return {key: _shape(value) for key, value in output.items()}
    if isinstance(output, (tuple, list)):
        return [_shape(value) for value in output]
    shape = getattr(output, "shape", None)
    return type(output).__name__ if shape is None else tuple(shape)


def _shapes(row: Row) -> str:
    if row.calls == 0:
        return "not run"
    return _text(row.output) + (f" ×{row.calls}" if row.calls > 1 else "")


def _text(shape: Any) -> str:
    if isinstance(shape, dict):
        return ", ".join(f"{key}: {_text(value)}" for key, value in shape.items())
    return ", ".join(map(_text, shape)) if isinstance(shape, list) else str(shape)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    *texts, count = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([*texts, count.strip().rjust(widths[-1])])


def _size(count: int) -> str:
    """Bytes in the unit that a person would choose."""
    exponent = min(int(math.log(count, 1024)), 3) if count else 0
    return f"{count} bytes" if exponent == 0 else f"{count / 1024**exponent:.1f} {'KMG'[exponent - 1]}iB"
