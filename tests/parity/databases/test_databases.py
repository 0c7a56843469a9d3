"""Every entry of PyTorch's own databases passes, is refused by design, or stands in the list of gaps with a reason."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's databases of samples need it")

from parity.databases import functions, gaps, modules
from parity.databases.outcome import Outcome, table

CASES = [
    *[("functions", name, entry) for name, entry in functions.entries().items()],
    *[("modules", name, entry) for name, entry in modules.entries().items()],
]
FOUND: dict[str, dict[str, Outcome]] = {"functions": {}, "modules": {}}


@pytest.mark.parametrize(("database", "name", "entry"), CASES, ids=[f"{d}-{n}" for d, n, _ in CASES])
def test_entry(database: str, name: str, entry: object) -> None:
    ask, known = (functions.ask, gaps.FUNCTIONS) if database == "functions" else (modules.ask, gaps.MODULES)
    outcome = FOUND[database][name] = ask(entry)
    if outcome.status in ("pass", "refused"):
        assert name not in known, f"{name} passes: take it off the list in gaps.py"
    else:
        assert name in known, f"{outcome.status}: {outcome.detail}"


def test_the_list_of_gaps_names_entries_of_the_databases() -> None:
    assert set(gaps.FUNCTIONS) <= set(functions.entries())
    assert set(gaps.MODULES) <= set(modules.entries())
    assert all(gaps.FUNCTIONS.values()) and all(gaps.MODULES.values())


def test_print_the_table() -> None:
    """With -s, the table of what was asked in this process."""
    print("\n" + table(FOUND))
    assert sum(map(len, FOUND.values())) <= len(CASES)
