from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from byhand.bench import overhead
from byhand.core.errors import ByhandError


def fake(requires: dict[str, list[str]]):
    def look(name: str) -> list[str]:
        if name not in requires:
            raise metadata.PackageNotFoundError(name)
        return requires[name]

    return look


def test_requirements_are_transitive_and_without_extras(monkeypatch):
    needs = {
        "byhand": ["numpy>=2.0", "Rich>=13", 'torch==2.13.0; extra == "parity"', "absent; python_version < '3'"],
        "numpy": [],
        "rich": ["pygments<3", 'byhand>=0; python_version >= "3"'],
        "pygments": [],
        "torch": [],
    }
    monkeypatch.setattr(overhead.metadata, "requires", fake(needs))
    assert overhead.requirements("byhand") == {"byhand", "numpy", "rich", "pygments"}


def test_the_core_needs_exactly_its_four():
    found = overhead.requirements("byhand")
    assert {"byhand", "numpy", "safetensors", "rich", "typer"} <= found
    assert not found & {"torch", "matplotlib", "scipy", "hypothesis"}


def test_installed_files_are_all_files_of_a_distribution():
    package = Path(overhead.__file__).parents[1]
    assert set(package.rglob("*.py")) <= set(overhead.installed_files("byhand"))
    numpys = overhead.installed_files("numpy")
    assert sum(path.stat().st_size for path in numpys) > 5_000_000
    assert all(path.is_file() for path in numpys)


def test_import_of_something_missing_is_one_clear_error():
    with pytest.raises(ByhandError, match="import nowhere_to_be_found failed"):
        overhead.import_seconds("nowhere_to_be_found")
    assert overhead.import_seconds("fractions") > 0
