from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byhand.core.errors import CheckpointError
from byhand.tensor import Tensor
from byhand.train import checkpoint


def state(value: float) -> dict[str, Any]:
    return {"model": {"fc.weight": Tensor(np.full((2, 3), value, np.float32))}, "position": {"step": int(value)}}


def value_of(folder: Path) -> float:
    loaded = checkpoint.load(folder)
    value = float(loaded["model"]["fc.weight"].array[0, 0])
    assert loaded["position"]["step"] == value
    return value


def test_saved_and_loaded(tmp_path: Path) -> None:
    assert not checkpoint.exists(tmp_path)
    for value in (1.0, 2.0, 3.0):
        checkpoint.save(tmp_path, state(value))
        assert checkpoint.exists(tmp_path) and value_of(tmp_path) == value
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-00000003.safetensors", "checkpoint.json"]


class Killed(BaseException):
    """What a kill -9 would do: nothing after this runs, not even a clean-up that catches exceptions."""


STEPS = ["open", "fsync", "replace", "unlink"]


@pytest.mark.parametrize("moment", range(30))
def test_a_kill_at_any_system_call_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """The folder is copied at the n-th call that touches the disk: what a process killed there would leave."""
    folder, frozen = tmp_path / "run", tmp_path / "frozen"
    folder.mkdir()
    checkpoint.save(folder, state(1.0))
    calls = 0

    def watch(name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            if calls == moment:
                shutil.copytree(folder, frozen)
            calls += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in STEPS:
        watch(name)
    checkpoint.save(folder, state(2.0))
    monkeypatch.undo()
    if not frozen.exists():
        assert moment >= 8, "save does less than it should"
        return
    before = value_of(frozen)
    assert before in (1.0, 2.0)
    checkpoint.save(frozen, state(3.0))  # and the run goes on
    assert value_of(frozen) == 3.0
    assert sorted(p.suffix for p in frozen.iterdir()) == [".json", ".safetensors"], "litter is swept away"


@pytest.mark.parametrize("failing", [1, 2])
def test_a_full_disk_leaves_the_former_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    checkpoint.save(tmp_path, state(1.0))
    real, calls = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        # each file is flushed, then its folder: the first and the third call are the tensors and the JSON
        if calls == 2 * failing - 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left on device\. What was saved there before is untouched"):
        checkpoint.save(tmp_path, state(2.0))
    monkeypatch.undo()
    assert value_of(tmp_path) == 1.0
    assert len(list(tmp_path.iterdir())) == 2, "nothing half written takes up room"


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        checkpoint.load(tmp_path)
    checkpoint.save(tmp_path, state(1.0))
    tensors = next(tmp_path.glob("*.safetensors"))
    whole = tensors.read_bytes()
    for data in (whole[:-1], whole[:-1] + b"\xff", b""):
        tensors.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"checkpoint-00000001\.safetensors is damaged"):
            checkpoint.load(tmp_path)
    tensors.unlink()
    with pytest.raises(CheckpointError, match="which cannot be read"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "is not a checkpoint"),
        ("[]", "not a checkpoint of byhand"),
        ('{"format": 99, "tensors": "", "bytes": 0, "crc32": 0, "state": 0}', "format 99"),
        ('{"format": 1, "tensors": "../../secret", "bytes": 0, "crc32": 0, "state": 0}', "no file of tensors beside"),
    ],
)
def test_json_that_is_no_checkpoint(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / checkpoint.COMMIT).write_text(text)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(tmp_path)


def test_random_states_of_128_bits_survive(tmp_path: Path) -> None:
    bits = np.random.PCG64(3).state
    checkpoint.save(tmp_path, {"random": bits})
    assert checkpoint.load(tmp_path)["random"] == bits
    assert json.loads((tmp_path / checkpoint.COMMIT).read_text())["state"]["random"] == bits


def test_a_checkpoint_of_another_model_names_the_differences() -> None:
    def prints(**shapes: tuple[int, ...]) -> dict[str, Any]:
        return checkpoint.fingerprint({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})

    checkpoint.check_fingerprint(prints(a=(2,)), prints(a=(2,)), "x")
    with pytest.raises(CheckpointError) as caught:
        checkpoint.check_fingerprint(prints(a=(2,), b=(3,)), prints(a=(4,), c=()), "runs/x")
    assert str(caught.value).splitlines() == [
        "runs/x is a checkpoint of another model:",
        "  a: float32 (2,) in the checkpoint, float32 (4,) in the model",
        "  c: absent in the checkpoint, float32 () in the model",
        "  b: float32 (3,) in the checkpoint, absent in the model",
    ]
    with pytest.raises(CheckpointError, match="and 4 more"):
        checkpoint.check_fingerprint({}, prints(**{f"p{i}": () for i in range(10)}), "x")
