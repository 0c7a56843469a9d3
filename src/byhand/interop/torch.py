"""PyTorch's files: `byhand.load` and `byhand.save`, as scripts use `torch.load` and `torch.save`.

`.pt` and `.pth` files are read by a reader that executes nothing, and written so that `torch.load` reads them; what is
saved under a name that ends in `.safetensors` has that format. `Module.load_state_dict` explains what does not fit.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from byhand.core.dtypes import check_device, device
from byhand.core.errors import CheckpointError
from byhand.core.variable import Variable

SAFETENSORS = ".safetensors"


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """What `save` or `torch.save` wrote: tensors, in the dictionaries, lists and tuples they were saved in.

    f             a path, or a file open for reading bytes: `.pt`, `.pth` or `.safetensors`, told apart by their content
    map_location  "cpu" or None; tensors of other devices are loaded to the CPU in any case

    Tensors that shared memory share it again; bfloat16 becomes float32. Nothing of the file is executed, whatever
    `weights_only` says: models and other objects that were saved whole are refused. `mmap` and the rest change nothing.

    Raises CheckpointError that says what was refused, damaged or truncated, and what to do.

    >>> import io
    >>> import byhand
    >>> file = io.BytesIO()
    >>> byhand.save({"epoch": 3, "w": byhand.ones(2)}, file)
    >>> byhand.load(io.BytesIO(file.getvalue()))
    {'epoch': 3, 'w': tensor([1., 1.])}
    """
    if isinstance(map_location, str | device):
        check_device(map_location)
    where, data = _read(f)
    if _is_safetensors(data):
        return _load_safetensors(data, where)
    from byhand.interop.archive import Archive  # here, and below: `import byhand` should not pay for them
    from byhand.interop.legacy import MAGIC, Legacy
    from byhand.interop.torch_reader import unpickled

    return unpickled(Legacy(data, where) if data.startswith(MAGIC) else Archive(data, where))


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write tensors, and dictionaries, lists, tuples, numbers and strings around them, for `load` and `torch.load`.

    obj  most often `model.state_dict()`, or `{"model": model.state_dict(), "optimizer": optimizer.state_dict()}`;
         arrays are written as tensors
    f    a path, or a file open for writing bytes; a path is replaced in one step, so that a file is never half written.
         One that ends in `.safetensors` gets that format, which holds a dictionary of tensors and nothing else

    Raises CheckpointError for a model or another object as a whole, and if the file cannot be written.
    """
    path = None if hasattr(f, "write") else Path(os.fspath(f))
    data = _safetensors(obj, path) if path is not None and path.suffix == SAFETENSORS else _archive(obj)
    if path is None:
        f.write(data)
        return
    from byhand.interop.file import write_atomically

    write_atomically(path, data)


def _read(f: Any) -> tuple[str, bytes]:
    if hasattr(f, "read"):
        return str(getattr(f, "name", "the file")), bytes(f.read())
    path = Path(os.fspath(f))
    return str(path), path.read_bytes()


def _is_safetensors(data: bytes) -> bool:
    """Eight bytes with the length of the header, which is JSON."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= max(len(data), 100_000_000)


def _load_safetensors(data: bytes, where: str) -> dict[str, Any]:
    from byhand.interop.named_tensors import unpack_tensors
    from byhand.tensor import Tensor

    try:
        return {name: Tensor(array) for name, array in unpack_tensors(data).items()}
    except Exception as error:  # safetensors raises its own, which is no subclass of anything
        raise CheckpointError(f"{where} is damaged, or not a safetensors file: {error}") from error


def _archive(obj: Any) -> bytes:
    from byhand.interop.archive import packed
    from byhand.interop.torch_writer import Pickler

    pickler = Pickler(obj)
    return packed(bytes(pickler.out), pickler.storages)


def _safetensors(obj: Any, path: Path) -> bytes:
    from byhand.interop.named_tensors import pack_tensors

    if not isinstance(obj, dict):
        raise CheckpointError(f"{path}: a .safetensors file holds a dictionary of tensors, not a {type(obj).__name__}")
    for name, value in obj.items():
        if not isinstance(name, str) or not isinstance(value, Variable):
            raise CheckpointError(
                f"{path}: a .safetensors file holds tensors by name, but {name!r} is a {type(value).__name__}; save "
                "model.state_dict(), or save all of it as a .pt file"
            )
    return pack_tensors({name: value.array for name, value in obj.items()}, {"format": "pt"})
