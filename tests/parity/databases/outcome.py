"""What became of one entry of PyTorch's databases, and the table of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

STATUSES = ("pass", "differs", "missing", "refused")


@dataclass(frozen=True)
class Outcome:
    """status: one of STATUSES; detail: why."""

    status: str
    detail: str = ""


def table(outcomes: Mapping[str, Mapping[str, Outcome]]) -> str:
    """A line for each database: how many entries, and what became of them; covered is all but missing and refused."""
    lines = [f"{'database':<12} {'entries':>8} {'covered':>8} " + " ".join(f"{s:>8}" for s in STATUSES)]
    for name, found in outcomes.items():
        count = Counter(outcome.status for outcome in found.values())
        covered = count["pass"] + count["differs"]
        lines.append(f"{name:<12} {len(found):>8} {covered:>8} " + " ".join(f"{count[s]:>8}" for s in STATUSES))
    return "\n".join(lines)
