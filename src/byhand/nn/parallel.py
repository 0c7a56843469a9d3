"""PyTorch's path `nn.parallel`: wrappers for several GPUs, of which there are none."""

from __future__ import annotations

from typing import Any

from byhand.core.errors import UsageError
from byhand.nn.module import Module


class DataParallel(Module):
    """The module itself, as on a machine without GPUs; its parameters are named `module.…`."""

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        if device_ids:
            raise UsageError(f"DataParallel: byhand computes on the CPU; there are no devices {device_ids}")
        self.module = module

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Refused: there is one process."""

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise UsageError("DistributedDataParallel: byhand computes in one process; use the module as it is")


__all__ = ["DataParallel", "DistributedDataParallel"]
