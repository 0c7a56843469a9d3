"""A run killed by `kill -9` at any moment, and resumed, ends bit for bit where an unbroken run ends."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from byhand.interop.named_tensors import unpack_tensors
from byhand.train import History

KILLS = 7  # in each dialect

SCRIPT = """
import sys
import numpy as np
import byhand
from byhand import nn, optim
from byhand.data import DataLoader, TensorDataset
from byhand.train import BestWeights, EarlyStopping, MacroF1, Accuracy, fit

rng = np.random.default_rng(0)
x = rng.normal(size=(120, 6)).astype(np.float32)
y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
byhand.manual_seed(3)
model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
optimizer = optim.Adam(model.parameters(), lr=0.02)
train = DataLoader(TensorDataset(byhand.tensor(x[:90]), byhand.tensor(y[:90])), batch_size=8, shuffle=True)
print("ready", flush=True)
fit(
    model, train, (x[90:], y[90:]), optimizer=optimizer, epochs=12, metrics=[Accuracy(), MacroF1()],
    scheduler=optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=12 * 12), clip_norm=1.0,
    callbacks=[BestWeights(), EarlyStopping(50)], out=sys.argv[1], resume=True, save_every_batches=1, progress=False,
    compile=sys.argv[2],
)
"""


def start(folder: Path, dialect: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(folder), dialect]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def outcome(folder: Path) -> tuple[str, list[dict[str, object]]]:
    weights = unpack_tensors((folder / "model.safetensors").read_bytes())
    bits = hashlib.sha256(b"".join(name.encode() + weights[name].tobytes() for name in sorted(weights))).hexdigest()
    # how long an epoch took is the one thing that may differ
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in History.load(folder / "history.jsonl")]
    return bits, records


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("dialect", ["eager", "planned", "loops"])
def test_kills_at_random_moments(tmp_path: Path, dialect: str) -> None:
    if dialect == "loops":
        pytest.importorskip("llvmlite")
    with start(tmp_path / "unbroken", dialect) as process:
        went = time.monotonic()
    length = time.monotonic() - went
    assert process.returncode == 0
    expected = outcome(tmp_path / "unbroken")
    assert len(expected[1]) == 12

    rng, kills, runs = random.Random(0), 0, 0
    while kills < KILLS:
        folder, broken, code = tmp_path / str(runs), 0, -signal.SIGKILL
        while code != 0:
            with start(folder, dialect) as process:
                if kills < KILLS:
                    time.sleep(rng.uniform(0, 0.3 * length))
                    process.send_signal(signal.SIGKILL)
            code = process.returncode
            assert code in (0, -signal.SIGKILL)
            kills, broken = kills + (code != 0), broken + (code != 0)
        runs += 1
        assert outcome(folder) == expected, f"run {runs} differs after {broken} kills"
