"""The benchmark: every number that byhand promises, as a ratio between contenders that take turns in one process.

`byhand bench` calls `main`. Sections are modules of this package that return a table: `steps` (a training step by
hand, in byhand and in PyTorch), `compiled` (the same step written out, against other compilers), `breadth` (CNN, LSTM
and GPT), `overhead`, `memory`, `loading` and `jobs`. PyTorch, JAX and llvmlite are optional.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib import metadata
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from byhand.bench import breadth, compiled, jobs, loading, memory, overhead, steps
from byhand.bench.networks import is_installed
from byhand.bench.tables import Table, show
from byhand.core.errors import DataError, UsageError

SECTIONS: dict[str, Callable[[int, bool], Table]] = {
    "steps": steps.measure,
    "compiled": compiled.measure,
    "breadth": breadth.measure,
    "overhead": overhead.measure,
    "memory": memory.measure,
    "loading": loading.measure,
    "jobs": jobs.measure,
}
QUICK_ROUNDS = 3
OPTIONAL = {"PyTorch": "torch", "JAX": "jax", "llvmlite": "llvmlite"}


def main(names: list[str], rounds: int = 9, json: Path | None = None, quick: bool = False) -> int:
    """Run the sections called `names` (all if there are none), print their tables and return 0.

    A number that is not reached is printed, not an error: times belong to the machine. `quick` takes at most three
    rounds, a tenth of the samples and no MNIST, for continuous integration. `json` names a file that receives the
    machine line and all rows.

    Raises UsageError for an unknown section, DataError if `json` cannot be written.
    """
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise UsageError(f"there is no section {unknown[0]!r} in the benchmark; choose from {', '.join(SECTIONS)}.")
    rounds = min(rounds, QUICK_ROUNDS) if quick else rounds
    console = Console()
    about = machine()
    console.print(" · ".join(f"{key} {value}" for key, value in about.items()), highlight=False)
    console.print()
    tables: dict[str, Table] = {}
    for name in names or list(SECTIONS):
        with console.status(f"measuring {name} …"):
            tables[name] = SECTIONS[name](rounds, quick)
        show(tables[name], console)
    console.print(summary(tables), highlight=False)
    if json is not None:
        _write(json, {"machine": about, "rounds": rounds, "sections": {k: t.as_dict() for k, t in tables.items()}})
    return 0


def machine() -> dict[str, str]:
    """What the numbers depend on, without naming the machine. With a load near the CPUs, times mean little."""
    blas: Any = np.show_config(mode="dicts")
    blas = blas["Build Dependencies"]["blas"]
    return {
        "CPUs": str(os.cpu_count()),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "BLAS": f"{blas['name']} {blas['version']}",
        **{name: _version(package) for name, package in OPTIONAL.items()},
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
    }


def _version(package: str) -> str:
    return metadata.version(package) if is_installed(package) else "not installed"


def summary(tables: dict[str, Table]) -> str:
    """The last line: how many of the numbers with a verdict were reached."""
    verdicts = [row.reached for table in tables.values() for row in table.rows if row.reached is not None]
    return f"{sum(verdicts)} of {len(verdicts)} numbers reached"


def _write(path: Path, report: dict[str, Any]) -> None:
    try:
        path.write_text(dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror}; give --json a file in a folder that exists."
        ) from error
