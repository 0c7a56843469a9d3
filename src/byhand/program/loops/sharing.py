"""What several threads share: a nest by the rounds of its outer loop, a product by rows, columns or matrices.

Where a nest sums over its outer loop, each part has a total of its own, and they are added up in the end. Less work
than `LEAST` is done sooner by one thread than a second one has noticed it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from byhand.program.ir import Node
from byhand.program.loops.outline import Outline
from byhand.program.loops.products import COLUMNS, MATRICES, ROWS, Product
from byhand.program.primitives import CALL, FOLD, PRODUCT

LEAST = 1 << 15
"""Values that a nest computes: 2 µs and more; a second thread begins 0.2 µs after the first."""

WORTH = 1 << 17
"""Values that all nests of a step compute, with products counted as `call_work` does: 20 µs and more. The step of 2-4-2
takes 7.4 µs by one thread and 8.3 by two, that of 784-30-10 54 and 39."""

LEAST_PRODUCT = 1 << 17
"""Multiplications of a product: about 2 µs."""

FEW = 8
"""If a thread has so few rounds, each round is a part by itself, so that none waits long for another."""

SMALL = 4096
"""Sums of a nest over its outer loop: of so many each part may have its own."""

STEP = 16
"""Parts of a long loop begin at multiples of this, as vectors do."""


@dataclass(frozen=True)
class Span:
    """How a loop's rounds are shared: `parts` parts of `step` rounds each, the last one with what is left."""

    rounds: int
    step: int

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.rounds // self.step)

    def lines(self) -> list[str]:
        """The first round of a part, and the one after its last, as text."""
        if self.step == 1:
            return ["first = part", "last = part + 1"]
        whole = self.rounds % self.step == 0
        last = f"first + {self.step}"
        return [f"first = part * {self.step}", f"last = {last if whole else f'minimum({last}, {self.rounds})'}"]


def span(rounds: int, threads: int) -> Span | None:
    """The rounds of a loop for so many threads; None if there is nothing to share."""
    if threads < 2 or rounds < 2:
        return None
    if rounds < FEW * threads and rounds % threads:
        return Span(rounds, 1)
    step = -(-rounds // threads)
    return Span(rounds, step if step < STEP * FEW else -(-step // STEP) * STEP)


def move_span(rounds: int, work: int, threads: int) -> Span | None:
    """How so many values are moved by a loop of so many rounds; None if by one thread."""
    return span(rounds, threads) if work >= LEAST else None


def nest_span(made: Outline, threads: int) -> Span | None:
    """How a nest is shared; None if it is not."""
    extents = made.placement.spaces.extents
    if threads < 2 or nest_work(made) < LEAST or made.item.loop is None:
        return None
    if made.flat is not None:
        return span(math.prod(extents[tag] for tag in made.flat), threads)
    return span(extents[made.item.loop], threads)


def nest_work(made: Outline) -> int:
    """How many values a nest computes."""
    spaces = made.placement.spaces
    return sum(math.prod(spaces.extents[tag] for tag in spaces.loops(node)) for node in made.item.nodes)


def call_work(node: Node) -> float:
    """About as many as take as long as a product, of which eight multiplications count as one, or as another call."""
    arrays = [x.size for x in node.values if x.dtype is not None]
    if node.op.kind == PRODUCT:
        return math.sqrt(math.prod([*arrays[-2:], node.out.size])) / 8  # n · m · k
    return 16.0 * sum(arrays) if node.op.kind == CALL else 0.0


def totals(made: Outline) -> list[Node]:
    """The folds of a nest that sum over its outer loop, so that each part has a total of its own."""
    spaces, outer = made.placement.spaces, made.item.loop
    return [node for node in made.item.nodes if node.op.kind == FOLD and outer in spaces.folded(node)]


def product_span(made: Product, threads: int) -> tuple[str, Span] | None:
    """How a product is shared: by its rows or columns, or by the outer axis of its batch."""
    n, m, k = made.sizes
    if n * m * k * math.prod(size for size, _ in made.batch) < LEAST_PRODUCT:
        return None
    way, rounds = (MATRICES, made.batch[0][0]) if made.batch else (ROWS, n) if n >= m else (COLUMNS, m)
    found = None if made.batch and rounds < threads else span(rounds, threads)
    return None if found is None else (way, found)
