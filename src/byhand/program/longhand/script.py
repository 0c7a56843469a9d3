"""A whole file that trains a network on its own: the written step, a function that predicts, the data, the loop.

The step is captured for two sizes of the batch; where the texts differ by those sizes there stands `n`. Called by
`byhand write`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from byhand.program.ir import Program, Value
from byhand.program.longhand import loading, page
from byhand.program.longhand.expression import array_tree, literal, text
from byhand.program.longhand.function import Draft, Explain, drafted, function, generalised
from byhand.program.longhand.line import Listing
from byhand.program.longhand.longhand import listed
from byhand.program.longhand.source import printed

STATES = ("parameters", "buffers")
IGNORED = {
    "over": 'np.seterr(over="ignore")  # where e⁻ˣ is infinite, 1 / (1 + e⁻ˣ) is rightly 0',
    "divide": 'np.seterr(divide="ignore")  # ln 0 is −∞, which is bounded where it may occur',
}


@dataclass(frozen=True)
class Plan:
    """What a file says beside the step.

    prose           its docstring, in paragraphs
    load            the name of a function of `loading`, and what to call it with
    initial         the formula of each state's first value, by its path
    numbers         the first value of each number, by its name
    sizes           the size of a batch, and the other one that the step was captured for
    classification  whether y are labels
    """

    prose: Sequence[str]
    load: tuple[str, Sequence[Any]]
    initial: Mapping[str, str]
    numbers: Mapping[str, Any]
    sizes: tuple[int, int]
    epochs: int
    seed: int = 0
    classification: bool = True


def script(steps: Sequence[Program], predictions: Sequence[Program], plan: Plan, explain: Explain | None = None) -> str:
    """The file. `steps` and `predictions` are the programs of one network for batches of the two sizes."""
    return _File(steps, predictions, plan, explain).text()


class _File:
    """Gathers the parts.

    train, predict  the listings for the first size
    step, scores    the functions, for all sizes if `whole` and `free`
    """

    def __init__(
        self, steps: Sequence[Program], predictions: Sequence[Program], plan: Plan, explain: Explain | None
    ) -> None:
        steps = [_without_idle(program) for program in steps]
        self.plan, self.program = plan, steps[0]
        trains = [listed(program) for program in steps]
        self.train = trains[0]
        self.states = [a for a in self.train.arguments if a.group in STATES]
        titles = {a.value.name: a.name for a in self.states}
        predicts = [listed(program, titles) for program in predictions]
        self.predict = predicts[0]
        for listing in predicts:
            listing.arguments = [*[a for a in listing.arguments if a.group == "arguments"], *self.states]
        self.step, self.whole = self._drafted(trains, explain)
        self.scores, self.free = self._drafted(predicts, explain)
        self.scores.prose = [_sentence(self.scores)]

    def _drafted(self, listings: Sequence[Listing], explain: Explain | None) -> tuple[Draft, bool]:
        """The draft for all sizes if there is one, else for the first; and whether it serves all."""
        one, other = (drafted(listing, explain) for listing in listings)
        merged = generalised(one, other, self.plan.sizes)
        return (one, False) if merged is None else (merged, True)

    def text(self) -> str:
        """All parts, each two lines from the next."""
        functions = {**self.train.functions, **self.predict.functions}
        loaders = [printed(f, f.__name__) for f in self._loaders()]
        parts = [*functions.values(), function(self.step, "step"), function(self.scores, "predict"), *loaders]
        parts = [page.narrowed(part) for part in parts]
        main = self._main()
        parts += [*_drawing("\n".join(main)), "\n".join(main), 'if __name__ == "__main__":\n    main()']
        return "\n\n\n".join([self._head("\n".join(parts)), *parts]) + "\n"

    def _loaders(self) -> list[Callable[..., Any]]:
        name = self.plan.load[0]
        return [*loading.NEEDS.get(name, ()), getattr(loading, name)]

    def _head(self, code: str) -> str:
        """The docstring, the imports, the constants, the stream of random numbers."""
        prose = [line for i, part in enumerate(self.plan.prose) for line in ([""] * bool(i) + _paragraph(part))]
        modules = ["csv", "gzip", "importlib.util", "math", "os", "pickle", "tarfile"]
        imports = [f"import {m}" for m in modules if re.search(rf"\b{re.escape(m)}\.", code)]
        imports += ["from pathlib import Path"] if "Path(" in code else []
        parts = ["\n".join([f'"""{prose[0]}', *prose[1:], '"""'])]
        parts += ["\n".join(imports)] if imports else []
        parts.append("import numpy as np")
        constants = {**self.train.constants, **self.predict.constants}
        parts += [page.narrowed("\n".join(constants.values()))] if constants else []
        parts.append(f"rng = np.random.default_rng({self.plan.seed})")
        ignored = self.train.ignored | self.predict.ignored
        parts += ["\n".join(line for key, line in IGNORED.items() if key in ignored)] if ignored else []
        return "\n\n".join(parts)

    # the loop

    def _main(self) -> list[str]:
        load, arguments = self.plan.load
        call = f"{load}({', '.join(text(literal(x)) for x in arguments)})"
        epochs, (size, _) = self.plan.epochs, self.plan.sizes
        lines = [f"x, y, x_test, y_test = {call}", f"epochs, batch_size = {epochs}, {size}", *self._beginning(), ""]
        stop, said = ("len(x)", "") if self.whole else ("len(x) - batch_size + 1", "  # whole batches only")
        if self.whole and "n - 1" in str(self.step.sections):
            stop, said = "len(x) - 1", "  # not a batch of one: it has no variance"
        every = max(1, epochs // 20)
        lines += [
            "for epoch in range(1, epochs + 1):",
            "    order = rng.permutation(len(x))",
            "    losses = []",
            f"    for start in range(0, {stop}, batch_size):{said}",
            "        rows = order[start : start + batch_size]",
            *[f"        {line}" for line in self._call()],
            "        losses.append(loss)",
        ]
        report = self._report()
        if every > 1:
            lines += [f"    if epoch % {every} == 0:", *[f"        {line}" for line in report]]
        else:
            lines += [f"    {line}" for line in report]
        return ["def main():", *[f"    {line}".rstrip() for line in lines]]

    def _beginning(self) -> list[str]:
        """The first values of states and numbers."""
        lines: list[str] = []
        for group in STATES:
            own = [a for a in self.states if a.group == group]
            if own:
                rows = [(f"    {self.plan.initial[a.value.name]},", a.name) for a in own]
                lines += [f"{group} = [", *page.aligned(rows), "]"]
        others = dict.fromkeys(a.group for a in self.train.arguments if a.group not in STATES)
        letters = [group for group in others if group not in ("arguments", "constants", "numbers")]
        lines += [f"{letter} = [np.zeros_like(w) for w in parameters]" for letter in letters]
        constants = [a for a in self.train.arguments if a.group == "constants"]
        if constants:
            rows = [(f"    {text(array_tree(a.value.data))},", a.name) for a in constants]
            lines += ["constants = [", *page.aligned(rows), "]"]
        numbers = [a.name for a in self.train.arguments if a.group == "numbers"]
        if numbers:
            values = ", ".join(repr(self.plan.numbers[name]) for name in numbers)
            lines.append(f"{', '.join(numbers)} = {values}")
        return lines

    def _call(self) -> list[str]:
        """The call of the step, with its results."""
        groups = list(dict.fromkeys(a.group for a in self.train.arguments))
        given = [f"*{group}" for group in groups if group not in ("arguments", "numbers")]
        given += [a.name for a in self.train.arguments if a.group == "numbers"]
        by_value = {a.value: a.name for a in self.train.arguments}
        results = ["loss", *[by_value[number] for number, _ in self.program.number_writes if number in by_value]]
        return page.wrapped(f"{', '.join(results)} = step(x[rows], y[rows], {', '.join(given)})", 84)

    def _report(self) -> list[str]:
        """How good the network is, on one line of output."""
        states = "".join(f", *{group}" for group in STATES if any(a.group == group for a in self.states))
        if self.free:
            lines, truth = [f"scores = predict(x_test{states})"], "y_test"
        else:
            lines = [
                "scores = np.concatenate([",
                f"    predict(x_test[i : i + batch_size]{states})",
                "    for i in range(0, len(x_test) - batch_size + 1, batch_size)",
                "])",
            ]
            truth = "y_test[: len(scores)]"
        if self.plan.classification:
            lines.append(f"accuracy = (scores.argmax(axis=1) == {truth}).mean()")
            shown = "test accuracy {accuracy:.4f}"
        else:
            lines.append(f"error = ((scores - {truth}) ** 2).mean()")
            shown = "test error {error:.4f}"
        return [*lines, f'print(f"epoch {{epoch:3d}}  loss {{np.mean(losses):.4f}}  {shown}")']


def _sentence(draft: Draft) -> str:
    """What `predict` says of itself."""
    return draft.prose[0].replace("One step on", "The scores for").partition(": returns")[0] + "."


def _paragraph(part: str) -> list[str]:
    """A paragraph in lines, with those breaks that it has already."""
    return [line for sentence in part.splitlines() for line in page.prose(sentence)]


def _drawing(main: str) -> list[str]:
    """The functions by which first values are drawn, if there are such."""
    parts = []
    if "uniform(" in main:
        lines = ["def uniform(bound, *shape):", '    """Weights from U(−bound, bound)."""']
        parts.append("\n".join([*lines, "    return rng.uniform(-bound, bound, shape).astype(np.float32)"]))
    if "normal(" in main:
        lines = ["def normal(deviation, *shape):", '    """Weights from N(0, deviation²)."""']
        parts.append("\n".join([*lines, "    return rng.normal(0, deviation, shape).astype(np.float32)"]))
    return parts


def _without_idle(program: Program) -> Program:
    """The program without counters that nothing but their own next value depends on, as of steps in RMSprop."""
    producers, uses = program.producers(), program.uses()

    def counts(old: Value, new: Value) -> bool:
        whole = old.dtype is None or old.dtype.kind == "i"
        alone = new in producers and [*producers[new].values] == [old] and len(uses[old]) == 1 and new not in uses
        return whole and old.shape == () and alone

    kept = program.replaced(program.nodes)
    kept.writes = [write for write in kept.writes if not counts(*write)]
    kept.number_writes = [write for write in kept.number_writes if not counts(*write)]
    return kept
