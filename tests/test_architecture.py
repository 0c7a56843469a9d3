"""The house's rules: floors, no cycles, names, file lengths, and nothing of the machine it was written on."""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "byhand"

# Bottom to top: a module imports from its own floor and the floors below. `utils` holds PyTorch's paths as aliases;
# "byhand" is the package's own `__init__`, the public face: only what uses the library from outside stands above it.
FLOORS = (
    "core", "ops", "tensor", "creation", "linalg", "fft", "special", "autograd", "program", "func", "nn", "spectrum",
    "models", "optim", "interop", "data", "utils", "train", "amp", "cuda", "backends", "accelerator", "random",
    "testing", "distributed", "jit", "distributions",
    "byhand", "bench", "cli",
)  # fmt: skip
DEPENDENCIES = {"numpy", "safetensors", "rich", "typer"}

LONGEST = 400
LONGER: dict[str, str] = {}  # path under src/byhand: the reason why it is not split

VAGUE = re.compile(r"(^|_)(utils?|helpers?|misc|common)(_|$)")
PYTORCHS_PATHS = {"utils", "nn/utils", "optim/swa_utils"}


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node, function bodies included, but for blocks that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        yield node
        yield from statements(ast.Module(node.orelse, []) if typing_only else node)


def imported(module: str) -> set[str]:
    """What a module imports, as dotted names: the submodule where `from package import name` names one."""
    path, names = modules()[module], set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in statements(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=origin, names=aliases, level=level):
                base = ".".join([*package[: len(package) - level + 1], *filter(None, [origin])]) if level else origin
                joined = {f"{base}.{alias.name}" for alias in aliases}
                names |= {name if name in modules() else base for name in joined}
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]):
                if ast.unparse(function).endswith(("import_module", "__import__")):
                    names.add(name)
    return names


def floor(module: str) -> int:
    part = module.split(".")[1] if "." in module else module
    return len(FLOORS) if part == "__main__" else FLOORS.index(part)


@pytest.mark.parametrize("module", modules())
def test_imports_go_down(module: str) -> None:
    ours = {name for name in imported(module) if name.split(".")[0] == "byhand"}
    upward = sorted(name for name in ours if floor(name) > floor(module))
    assert not upward, f"{module} imports {upward} from a floor above its own"


def test_no_cycles() -> None:
    graph = {module: {name for name in imported(module) if name in modules()} for module in modules()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which prints the cycle


def test_docs_list_the_same_floors() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert tuple(re.findall(r"^\| `(\w+)\S*` \|", text, re.MULTILINE)) == FLOORS


@pytest.mark.parametrize("module", modules())
def test_outside_imports_are_dependencies(module: str) -> None:
    """At module level only the declared dependencies: an extra is imported by the function that needs it."""
    tree = ast.parse(modules()[module].read_text("utf-8"))
    names = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom) and not node.level}
    assert {name.split(".")[0] for name in names} <= {*sys.stdlib_module_names, *DEPENDENCIES, "byhand"}


def test_names_say_what_is_inside() -> None:
    paths = {path.relative_to(SOURCE).with_suffix("").as_posix() for path in SOURCE.rglob("*")}
    vague = {path for path in paths if VAGUE.search(path.rsplit("/", 1)[-1])}
    assert vague <= PYTORCHS_PATHS


def test_files_stay_readable() -> None:
    lengths = {p.relative_to(SOURCE).as_posix(): len(p.read_text("utf-8").splitlines()) for p in SOURCE.rglob("*.py")}
    assert {path: n for path, n in lengths.items() if n > LONGEST and path not in LONGER} == {}
    assert {path for path in LONGER if lengths.get(path, 0) <= LONGEST} == set(), "an exemption nobody needs any more"


def test_nothing_of_the_machine() -> None:
    """No path of a machine, no address of a package registry in any file of the project."""
    folders = [ROOT / name for name in ("src", "tests", "docs", ".ci")]
    files = [path for folder in folders for path in folder.rglob("*") if "__pycache__" not in path.parts]
    files += [path for path in ROOT.iterdir() if path.suffix in {".md", ".toml"}]
    machine = re.compile(r"(?<![\w.~-])/(tmp|work|root|home|Users)/|\b(pypi\.org|pythonhosted|download\.pytorch)")
    for path in files:
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".txt", ".json", ""} and path != Path(__file__):
            assert not machine.search(path.read_text("utf-8")), path.relative_to(ROOT)
