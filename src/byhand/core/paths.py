"""PyTorch's longer paths, as in `from torch.utils.data.dataloader import DataLoader`: names of modules that are here.

Called by the packages that have such paths, when they are imported.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any


def lead(package: ModuleType, parts: Mapping[str, ModuleType]) -> None:
    """Let `package.name` be imported as a module for each name of `parts`; the package's own names come first."""
    for name, module in parts.items():
        sys.modules[f"{package.__name__}.{name}"] = module
        package.__dict__.setdefault(name, module)


def gathered(path: str, names: Mapping[str, Any], parts: Mapping[str, ModuleType]) -> ModuleType:
    """A module at a path of PyTorch's that holds these names, and whose parts can be imported."""
    made = sys.modules[path] = ModuleType(path, f"PyTorch's path {path.partition('.')[2]}.")
    made.__dict__.update(names)
    lead(made, parts)
    return made
