"""python -m parity.databases [NAME…], from the folder tests: the outcome of the entries whose names begin so."""

from __future__ import annotations

import sys

from parity.databases import functions, modules, optimizers
from parity.databases.outcome import Outcome, table

found: dict[str, dict[str, Outcome]] = {}
for title, database in (("functions", functions), ("modules", modules), ("optimizers", optimizers)):
    found[title] = {}
    for name, entry in database.entries().items():
        if len(sys.argv) == 1 or any(name.startswith(wanted) for wanted in sys.argv[1:]):
            found[title][name] = outcome = database.ask(entry)  # type: ignore[attr-defined]
            print(f"{outcome.status:<8} {name}: {outcome.detail}"[:300], flush=True)
print(table(found))
