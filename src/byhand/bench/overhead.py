"""What byhand costs before it computes: an op on tiny arrays, the import, the installation. The section `overhead`."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from byhand.bench.tables import Row, Table, duration, size
from byhand.bench.timing import take_turns
from byhand.core.errors import ByhandError
from byhand.ops.trigonometry import tanh
from byhand.tensor import Tensor

MICROSECONDS, IMPORT_MILLISECONDS, MEGABYTES = 0.6, 60, 75
IMPORT = "import time; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"


def measure(rounds: int, quick: bool) -> Table:
    """Recording an op, importing the package, and the size on disk."""
    table = Table("Overhead", [*op_rows(rounds), import_row(rounds), *size_rows()])
    table.notes = [
        "Ops on float32 arrays of 4 elements (matmul: 2 × 2): the time on tensors minus the time of the same operator",
        "on NumPy arrays. Recorded includes making and freeing the tape entry.",
        "Imports: seconds inside a fresh interpreter, without the interpreter's own start, by turns.",
        "Installed size: all files of byhand, numpy, safetensors, rich, typer and what these require.",
    ]
    return table


def op_rows(rounds: int) -> list[Row]:
    """One op over NumPy's own time, recorded and not; the product is the number that must be reached."""
    a, b = np.ones(4, np.float32), np.full(4, 0.5, np.float32)
    m, n = np.eye(2, dtype=np.float32), np.ones((2, 2), np.float32)
    x, y, w, v = (Tensor(array.copy()) for array in (a, b, m, n))
    x.requires_grad_()
    w.requires_grad_()
    pairs: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("x * y, recorded", lambda: x * y, lambda: a * b),
        ("x * 2.0, recorded", lambda: x * 2.0, lambda: a * 2.0),
        ("tanh(x), recorded", lambda: tanh(x), lambda: np.tanh(a)),
        ("w @ v, recorded", lambda: w @ v, lambda: m @ n),
        ("y * y, not recorded", lambda: y * y, lambda: b * b),
    ]
    return [op_row(name, mine, numpys, rounds, must=number == 0) for number, (name, mine, numpys) in enumerate(pairs)]


def op_row(name: str, mine: Callable[[], Any], numpys: Callable[[], Any], rounds: int, must: bool) -> Row:
    """The difference of the two callables; the loop around them cancels."""
    timings = take_turns({"mine": mine, "numpy": numpys}, rounds)
    extra = timings.difference("mine", "numpy")
    measured = f"{duration(extra)} over NumPy's {duration(timings.median('numpy'))}"
    ratio, of_medians = timings.ratio("mine", "numpy"), timings.ratio_of_medians("mine", "numpy")
    if not must:
        return Row(name, measured, "", ratio, of_medians)
    return Row(name, measured, f"≤ {MICROSECONDS} µs over", ratio, of_medians, extra <= MICROSECONDS * 1e-6)


def import_row(rounds: int) -> Row:
    """`import byhand` against `import numpy`, each in fresh interpreters, by turns."""
    seconds: dict[str, list[float]] = {"numpy": [], "byhand": []}
    for number in range(rounds + 1):
        for name, found in seconds.items():
            taken = import_seconds(name)
            if number:  # the first pair only warms the disk's cache and the compiled files
                found.append(taken)
    extra = statistics.median(b - n for b, n in zip(seconds["byhand"], seconds["numpy"], strict=True))
    mine, numpys = statistics.median(seconds["byhand"]), statistics.median(seconds["numpy"])
    measured = f"{duration(mine)} · NumPy {duration(numpys)} · {extra * 1e3:+.1f} ms"
    must = f"≤ NumPy + {IMPORT_MILLISECONDS} ms"
    return Row("import byhand", measured, must, None, None, extra <= IMPORT_MILLISECONDS * 1e-3)


def import_seconds(name: str, after: str = "sys") -> float:
    """Seconds that `import name` takes in a fresh interpreter, in which `after` has been imported before."""
    command = [sys.executable, "-c", f"import {after}; " + IMPORT.format(name)]
    # an installed package is compiled: whoever runs the bench without writing bytecode would time the compiler
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ByhandError(f"import {name} failed in a fresh interpreter: {reason}")
    return float(done.stdout)


def size_rows() -> list[Row]:
    """Installed size of byhand and all that it requires, without and with the bytecode that pip compiles."""
    paths = {name: installed_files(name) for name in requirements("byhand")}
    sizes = {name: sum(path.stat().st_size for path in files if path.suffix != ".pyc") for name, files in paths.items()}
    total = sum(sizes.values())
    bytecode = sum(path.stat().st_size for files in paths.values() for path in files if path.suffix == ".pyc")
    largest = sorted(sizes, key=lambda name: -sizes[name])[:4]
    named = ", ".join(f"{name} {size(sizes[name])}" for name in largest)
    must = f"≤ {MEGABYTES} MB"
    return [
        Row("installed size, as packed", f"{size(total)} ({named}, …)", must, None, None, total <= MEGABYTES * 1e6),
        Row("the same with bytecode", f"{size(total + bytecode)}", "", None, None),
    ]


def requirements(name: str, found: set[str] | None = None) -> set[str]:
    """`name` and the distributions it requires, transitively, without extras.

    A requirement that is not installed is left out: its marker was for another platform or Python.
    """
    found = set() if found is None else found
    try:
        needs = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return found
    found.add(name)
    for need in needs:
        wanted, _, marker = need.partition(";")
        match = re.match(r"[\w.-]+", wanted)
        if match and "extra" not in marker and match[0].lower() not in found:
            requirements(match[0].lower(), found)
    return found


def installed_files(name: str) -> list[Path]:
    """All files of one distribution on disk; of an editable byhand those of its package, where the source stands."""
    if name == "byhand":
        found = list(Path(__file__).parents[1].rglob("*"))
    else:
        found = [Path(str(file.locate())) for file in metadata.files(name) or []]
    return [path for path in found if path.is_file()]
