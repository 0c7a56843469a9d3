"""Models from a Python file of the user's, `FILE.py:function`. Called by the command line and `Run`."""

from __future__ import annotations

import hashlib
import inspect
import sys
import traceback
import types
from collections.abc import Sequence
from pathlib import Path

from byhand import nn
from byhand.core.errors import ByhandError, UsageError
from byhand.train.architecture import FORMS


class ModelFileError(ByhandError):
    """A user's model file that fails: shows the user's own line."""


def digest(path: Path) -> str:
    """The SHA-256 of a file, by which a run notices that its model file was changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def split_file_spec(spec: str) -> tuple[Path, str]:
    """`FILE.py:function` as its two parts. Raises UsageError if the file is missing or no function is named."""
    file, _, function = spec.rpartition(":")
    if not file:
        raise UsageError(f"{spec}: say which function makes the model, as in {spec}:build")
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"there is no file {file}; --model takes {FORMS}")
    return path, function


def from_file(
    path: Path, function: str, input_shape: Sequence[int], outputs: int, home: Path | None = None
) -> nn.Module:
    """Run a Python file and call its `function` for a model.

    The function may take `input_shape`, `outputs` or `classes` by name. `home` is the folder whose modules the file
    may import, its own by default. Raises ModelFileError with the user's own line for any error in the file.
    """
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    offered = {"input_shape": tuple(input_shape), "outputs": outputs, "classes": outputs}
    folder = str((home or path.parent).resolve())
    sys.path.insert(0, folder)
    sys.modules[f"_byhand_model_{path.stem}"] = module  # dataclasses and pickle look their module up by name
    module.__name__ = f"_byhand_model_{path.stem}"
    try:
        exec(compile(path.read_text("utf-8"), str(path), "exec"), module.__dict__)
        make = getattr(module, function, None)
        if not callable(make):
            names = [n for n, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__]
            raise UsageError(f"{path} has no function {function!r}; it has {', '.join(names) or 'none'}")
        known = inspect.signature(make).parameters
        model = make(**{name: value for name, value in offered.items() if name in known})
    except UsageError:
        raise
    except Exception as error:
        raise ModelFileError(f"{own_line(error, path) or path}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    if not isinstance(model, nn.Module):
        raise UsageError(f"{path}:{function} should return an nn.Module, it returned {type(model).__name__}")
    return model


def own_line(error: BaseException, path: Path) -> str | None:
    """Where in the user's file an error came from, as `FILE, line 7, in forward: x @ w`; None if from nowhere in it."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}, line {error.lineno}: {(error.text or '').strip()}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if not frames:
        return None
    line = path.read_text("utf-8").splitlines()[(frames[-1].lineno or 1) - 1].strip()
    return f"{path}, line {frames[-1].lineno}, in {frames[-1].name}: {line}"
