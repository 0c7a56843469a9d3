from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byhand.interop.named_tensors import unpack_tensors
from byhand.train import History, Run

FAST = ("moons", "--epochs", 3)


def weights(run: Path) -> dict[str, bytes]:
    return {k: v.tobytes() for k, v in unpack_tensors((run / "model.safetensors").read_bytes()).items()}


def test_train_alone_learns_digits(byhand: Any, tmp_path: Path) -> None:
    answer = byhand("train")
    assert answer.status == 0, answer.err
    match = re.fullmatch(r"test accuracy (0\.9\d+)", answer.last)
    assert match is not None
    assert float(match[1]) >= 0.975
    assert "data   digits: 1×8×8, 10 classes; 1,258 train, 180 valid, 359 test" in answer.out
    assert "\nruns   compiled: " in answer.out and "epoch  1/60  loss" in answer.out
    names = {path.name for path in (tmp_path / "runs" / "digits-1").iterdir()}
    assert {"config.json", "history.jsonl", "model.safetensors", "result.json", "checkpoint.json"} <= names


def test_the_same_seed_is_the_same_run_and_another_is_not(byhand: Any, tmp_path: Path) -> None:
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert byhand("train", *FAST, "--out", out, "--seed", seed, "-q").status == 0
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


def test_quiet_prints_the_result_only(byhand: Any) -> None:
    assert re.fullmatch(r"test accuracy \d\.\d{4}\n", byhand("train", *FAST, "-q").out)


def test_runs_are_numbered(byhand: Any, tmp_path: Path) -> None:
    for _ in range(2):
        byhand("train", *FAST)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["moons-1", "moons-2"]


def test_every_option_reaches_the_recipe(byhand: Any, tmp_path: Path) -> None:
    options = {
        "model": "mlp:5,4",
        "activation": "tanh",
        "dropout": 0.1,
        "init": "xavier",
        "epochs": 2,
        "batch_size": 7,
        "optimizer": "sgd",
        "lr": 0.03,
        "momentum": 0.8,
        "weight_decay": 0.002,
        "schedule": "cosine",
        "loss": "cross_entropy",
        "label_smoothing": 0.05,
        "clip_norm": 2.0,
        "patience": 3,
        "seed": 11,
        "threads": 2,
        "dialect": "longhand",
        "valid_fraction": 0.25,
        "test_fraction": 0.3,
    }
    arguments = [text for k, v in options.items() for text in (f"--{k.replace('_', '-')}", str(v))]
    answer = byhand("train", "moons", *arguments, "--standardize", "--out", "run")
    assert answer.status == 0, answer.err
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["recipe"] == options | {"standardize": True} and config["compile"] == "longhand"
    assert "runs   compiled: longhand NumPy\n" in answer.out
    assert "how    sgd, lr 0.03, batch 7, 2 epochs, cosine, dropout 0.1, label smoothing 0.05" in answer.out
    assert "fc2.weight" in weights(tmp_path / "run") and "standardize.mean" in weights(tmp_path / "run")


def test_an_optimizer_of_ones_own_gets_its_usual_learning_rate(byhand: Any) -> None:
    assert "sgd, lr 0.1" in byhand("train", "--optimizer", "sgd", "--epochs", 0, "--schedule", "constant").out
    assert "dropout" not in byhand("train", "--model", "mlp:30", "--epochs", 0, "--schedule", "constant").out


def test_the_plain_recipe_of_the_textbooks(byhand: Any) -> None:
    plain = "--model mlp:30 --activation sigmoid --init normal --optimizer sgd --lr 1 --schedule constant"
    answer = byhand("train", *plain.split(), "--epochs", 20, "--label-smoothing", 0, "--batch-size", 10)
    assert answer.status == 0
    assert float(answer.last.split()[-1]) > 0.85


def test_every_dialect_learns_the_same(byhand: Any) -> None:
    answers = {dialect: byhand("train", *FAST, "--dialect", dialect) for dialect in ("eager", "planned", "longhand")}
    assert "runs   eager\n" in answers["eager"].out and "runs   compiled: planned NumPy\n" in answers["planned"].out
    losses = [re.findall(r"loss (\S+)", answer.out) for answer in answers.values()]
    assert len(losses[0]) == 6 and losses[0] == losses[1] == losses[2]


def test_a_model_that_cannot_be_compiled_trains_all_the_same(byhand: Any, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from byhand import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(2, 2)\n    def forward(self, x):\n        assert x.max().item() < 99\n"
        "        return self.fc(x)\n"
    )
    answer = byhand("train", *FAST, "--model", "net.py:Net")
    assert answer.status == 0
    assert "runs   eager: the step cannot be captured\n" in answer.out
    assert re.fullmatch(r"warning: training runs eagerly: .* in net\.py, line 7: assert x.*\n", answer.err)


def test_numbers_are_predicted_too(byhand: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)) * [1, 50, 0.1] + 7
    y = 1000 * x[:, 0] + 30 * x[:, 1]
    np.savetxt(tmp_path / "a.csv", np.column_stack([x, y]), delimiter=",", header="a,b,c,price", comments="")
    answer = byhand("train", "a.csv", "--epochs", 60, "--target", "price", "--lr", 0.01, "--out", "run")
    assert answer.status == 0, answer.err
    assert answer.last.startswith("test r2 0.9")
    predicted = byhand("predict", "run", "a.csv", "--json").json
    assert predicted[0]["prediction"] == pytest.approx(y[0], rel=0.2)
    assert byhand("evaluate", "run", "--json").json["r2"] > 0.9
    assert "price" not in json.loads((tmp_path / "run" / "config.json").read_text())["data"]["columns"]


def words(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    kind = rng.integers(0, 3, 150)
    x = rng.normal(size=(150, 2)) + kind[:, None] * 3
    lines = [
        "width,length,species",
        *(f"{a},{b},{['red', 'green', 'blue'][k]}" for (a, b), k in zip(x, kind, strict=True)),
    ]
    (folder / "flowers.csv").write_text("\n".join(lines))
    return folder / "flowers.csv"


def test_a_csv_with_words_as_classes(byhand: Any, tmp_path: Path) -> None:
    words(tmp_path)
    answer = byhand("train", "flowers.csv", "--epochs", 40, "--lr", 0.01)
    assert answer.status == 0, answer.err
    assert float(answer.last.split()[-1]) > 0.9
    row = byhand("predict", "runs/flowers-1", "flowers.csv", "--json").json[0]
    assert row["prediction"] in {"red", "green", "blue"}
    config = (tmp_path / "runs" / "flowers-1" / "config.json").read_text()
    assert str(tmp_path) not in config
    assert json.loads(config)["data"]["file"] == "../../flowers.csv"


NET = """from byhand import nn

def build(input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[0], 6), nn.Tanh(), nn.Linear(6, classes))

def crooked():
    return nn.Sequential(nn.Linear(2, 6), nn.Linear(7, 2))

def typo():
    return nn.Linnear(2, 2)
"""


def test_a_model_of_ones_own(byhand: Any, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    assert byhand("train", *FAST, "--model", "net.py:build", "--out", "run").status == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["model"]["file"] == "../net.py"
    before = byhand("evaluate", "run", "--json").json
    (tmp_path / "net.py").write_text("# changed\n" + NET.replace("6", "9"))
    after = byhand("evaluate", "run", "--json")
    assert after.json == before
    assert "warning: net.py has changed since the training; using the copy of it, run/model.py" in after.err
    (tmp_path / "net.py").unlink()
    assert "net.py is gone" in byhand("evaluate", "run").err


def test_a_mistake_in_the_users_model_shows_the_users_line(byhand: Any, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    answer = byhand("train", *FAST, "--model", "net.py:typo")
    assert answer.status == 1
    assert "net.py, line 10, in typo: return nn.Linnear(2, 2): AttributeError" in answer.err
    answer = byhand("train", *FAST, "--model", "net.py:crooked")
    assert answer.status == 1
    assert "Linear(7 → 2)" in answer.err or "(7" in answer.err
    (tmp_path / "net.py").write_text("def build(:\n")
    answer = byhand("train", *FAST, "--model", "net.py:build")
    assert (answer.status, "net.py, line 1: def build(:" in answer.err) == (1, True)
    assert not (tmp_path / "runs" / "moons-2").exists()


def test_an_error_in_forward_shows_the_users_line(byhand: Any, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from byhand import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(2, 2)\n    def forward(self, x):\n        return self.fc(x).reshape(3, 3, 3)\n"
    )
    answer = byhand("train", *FAST, "--model", "net.py:Net")
    assert answer.status == 1
    assert "net.py, line 7, in forward: return self.fc(x).reshape(3, 3, 3)" in answer.err


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        (("train", "digit"), 2, "did you mean 'digits'"),
        (("train", "--optimizer", "adma"), 2, "no optimizer 'adma'"),
        (("train", "--dialect", "fast"), 2, "no dialect 'fast'"),
        (("train", "--model", "mlp:x"), 2, "mlp:30"),
        (("train", "--model", "gone.py:build"), 2, "no file gone.py"),
        (("train", "--activation", "rely"), 2, "no activation"),
        (("train", "--epochs", "-1"), 2, "epochs"),
        (("train", "--epochs", "x"), 2, "epochs"),
        (("train", "--bogus"), 2, "No such option"),
        (("train", "--loss", "mse"), 2, "does not fit"),
        (("train", "gone.csv"), 1, "gone.csv: no such file"),
        (("train", "moons", "--target", "x"), 2, "no option 'target'"),
        (("train", "moons", "--test-fraction", "0.95"), 2, "leave nothing to train on"),
        (("train", "--resume", "gone"), 1, "no run gone"),
        (("train", "--resume", "."), 1, "not the folder of a run"),
        (("train", "mnist", "--resume", "gone", "--lr", "1"), 2, "does not take --lr, --dataset"),
        (("train", "--lr", "-1"), 2, "lr"),
        (("train", "moons", "--epochs", "0", "--out", "taken/run"), 1, "could not make the folder"),
        (("nothing",), 2, "No such command"),
    ],
)
def test_bad_input_is_one_message_and_a_status(
    byhand: Any, tmp_path: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    answer = byhand(*arguments)
    assert answer.status == status
    assert message in answer.err
    assert "Traceback" not in answer.err + answer.out
    assert not (tmp_path / "runs").exists()


def test_bad_data_in_a_csv(byhand: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for cell, message in (("nan", "not finite"), ("", "empty"), ("x", "not a number")):
        path.write_text("a,b,y\n1,2,0\n" + f"3,{cell},1\n" + "4,5,0\n" * 30)
        answer = byhand("train", "a.csv")
        assert answer.status == 1
        assert "a.csv, line 3, column 'b'" in answer.err and message in answer.err
    path.write_text("a,b,y\n")
    assert byhand("train", "a.csv").status == 1
    path.write_text("a,b,y\n" + "1,2,-1\n3,4,1\n" * 30)
    assert "no labels from 0 up" in byhand("train", "a.csv").err


def test_divergence(byhand: Any) -> None:
    answer = byhand("train", "moons", "--optimizer", "sgd", "--lr", "1e30", "--epochs", 30)
    assert answer.status == 1
    assert "Lower the learning rate" in answer.err


def test_a_folder_that_holds_a_run_is_not_overwritten(byhand: Any, tmp_path: Path) -> None:
    byhand("train", *FAST, "--out", "run")
    before = weights(tmp_path / "run")
    answer = byhand("train", *FAST, "--out", "run", "--seed", 5)
    assert answer.status == 2
    assert "go on with: byhand train --resume run" in answer.err
    assert weights(tmp_path / "run") == before


def test_debug_shows_the_traceback(byhand: Any) -> None:
    for arguments in (("--debug", "train", "digit"), ("train", "digit", "--debug")):
        with pytest.raises(ValueError, match="digit"):
            byhand(*arguments)


def test_resuming_a_finished_run_changes_nothing_and_more_epochs_go_on(byhand: Any, tmp_path: Path) -> None:
    first = byhand("train", *FAST, "--out", "run").last
    before = weights(tmp_path / "run")
    assert byhand("train", "--resume", "run").last == first
    assert weights(tmp_path / "run") == before
    assert byhand("train", "--resume", "run", "--epochs", 5).status == 0
    assert Run.load(tmp_path / "run").history["epoch"] == [1, 2, 3, 4, 5]
    byhand("train", "moons", "--epochs", 5, "--out", "whole")
    assert weights(tmp_path / "whole") == weights(tmp_path / "run")
    answer = byhand("train", "moons", "--epochs", 2, "--schedule", "cosine", "--out", "planned")
    answer = byhand("train", "--resume", "planned", "--epochs", 9)
    assert (answer.status, "was laid out for 2 epochs" in answer.err) == (2, True)


def test_resuming_on_changed_data_is_refused(byhand: Any, tmp_path: Path) -> None:
    path = words(tmp_path)
    byhand("train", "flowers.csv", "--epochs", 2, "--out", "run")
    path.write_text(path.read_text() + "\n0,0,red")
    answer = byhand("train", "--resume", "run")
    assert answer.status == 1
    assert "no longer the file this run was trained on" in answer.err


# --- as a process ---


def start(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "byhand", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True, env=environment)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT to a process")
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    arguments = ("train", "moons", "--epochs", "120", "--batch-size", "8")
    whole = start(*arguments, "--out", "whole", folder=tmp_path)
    whole_out, whole_err = whole.communicate(timeout=120)
    assert whole.returncode == 0, whole_err

    broken = start(*arguments, "--out", "run", folder=tmp_path)
    assert broken.stdout is not None
    while not broken.stdout.readline().startswith("epoch  20"):
        pass
    broken.send_signal(signal.SIGINT)
    _, err = broken.communicate(timeout=60)
    assert broken.returncode == 130
    assert err == "interrupted: saved; go on with: byhand train --resume run\n"

    again = start("train", "--resume", "run", folder=tmp_path)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert out.splitlines()[-1] == whole_out.splitlines()[-1]
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
    histories = [History.load(tmp_path / name / "history.jsonl") for name in ("run", "whole")]
    assert histories[0]["valid_loss"] == histories[1]["valid_loss"]


def test_a_bad_option_from_a_real_shell(tmp_path: Path) -> None:
    process = start("train", "digit", folder=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: no dataset is named 'digit'")


def test_help_is_quick(tmp_path: Path) -> None:
    """Not a timed test: what makes it slow is importing what only a command needs."""
    script = (
        "import sys\nfrom byhand.cli import app\nprint('matplotlib' in sys.modules, 'rich.progress' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    assert out == "False False\n"
    began = time.monotonic()
    process = start("--help", folder=tmp_path)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "evaluate" in out
    assert time.monotonic() - began < 30


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_bar_on_a_real_terminal(tmp_path: Path) -> None:
    import pty

    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    command = [sys.executable, "-m", "byhand", "train", "moons", "--epochs", "3"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        text = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            text += part
    os.close(leader)
    assert process.returncode == 0
    shown = text.decode()
    assert "epoch 1/3 · batch" in shown and "samples/s" in shown
    assert "epoch 3/3  loss" in shown
    assert shown.rstrip().splitlines()[-1].startswith("test accuracy")
