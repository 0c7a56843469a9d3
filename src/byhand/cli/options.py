"""The options of the commands, each with its help: one place, so that they read alike everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODEL, TRAINING, DATA, RUN = "Model", "Training", "Data", "Run"

TrainDataset = Annotated[
    str | None,
    typer.Argument(
        help="A dataset of `byhand datasets`, or a CSV or NPZ file.", metavar="DATASET", show_default="digits"
    ),
]
Trained = Annotated[
    list[str] | None,
    typer.Argument(
        help="A model (mlp:30, lenet, resnet, lstm, gpt, vae, gan, ...), a dataset of `byhand datasets` or a file, "
        "or both.",
        metavar="[MODEL] [DATASET]",
        show_default="digits",
    ),
]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.", metavar="RUN")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]

WrittenModel = Annotated[str, typer.Argument(help="softmax, mlp:30, mlp:256,128 or FILE.py:function.", metavar="MODEL")]
Explain = Annotated[bool, typer.Option("--explain", help="Beside each line the rule that it comes from.")]
WrittenDialect = Annotated[
    str, typer.Option(help="longhand: a file to read; planned or loops: the step as it runs.", metavar="DIALECT")
]
OutFile = Annotated[Path | None, typer.Option(help="Write to this file.", metavar="FILE")]

Model = Annotated[
    str | None,
    typer.Option(help="softmax, mlp:256,128, lenet, lstm, gpt, vae, ..., or FILE.py:function.", rich_help_panel=MODEL),
]
Activation = Annotated[str | None, typer.Option(help="relu, tanh, sigmoid, gelu, ...", rich_help_panel=MODEL)]
Dropout = Annotated[float | None, typer.Option(help="Share of hidden units to drop.", rich_help_panel=MODEL)]
Init = Annotated[
    str | None,
    typer.Option(help="default, normal (the textbooks' N(0, 1)), xavier, he or zeros.", rich_help_panel=MODEL),
]
Standardize = Annotated[
    bool | None,
    typer.Option(
        "--standardize/--raw", help="Scale the inputs to mean 0, std 1; usual for tables.", rich_help_panel=MODEL
    ),
]

Epochs = Annotated[int | None, typer.Option(min=0, help="Passes over the training data.", rich_help_panel=TRAINING)]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Samples a step.", rich_help_panel=TRAINING)]
Optimizer = Annotated[
    str | None,
    typer.Option(
        help="sgd, adam, adamw, nadam, radam, adamax, adafactor, rmsprop, adagrad, adadelta, asgd or rprop.",
        rich_help_panel=TRAINING,
    ),
]
LearningRate = Annotated[float | None, typer.Option("--lr", help="Learning rate.", rich_help_panel=TRAINING)]
Momentum = Annotated[
    float | None, typer.Option(help="Of sgd and rmsprop; β₁ of Adam's kind.", rich_help_panel=TRAINING)
]
WeightDecay = Annotated[float | None, typer.Option(help="L2 penalty (adamw: decoupled).", rich_help_panel=TRAINING)]
Schedule = Annotated[
    str | None,
    typer.Option(
        help="constant, linear, cosine, warmup, onecycle, restarts, polynomial, exponential, step, multistep "
        "or plateau.",
        rich_help_panel=TRAINING,
    ),
]
Loss = Annotated[str | None, typer.Option(help="cross_entropy, hinge, or mse for numbers.", rich_help_panel=TRAINING)]
LabelSmoothing = Annotated[float | None, typer.Option(help="Of the cross-entropy.", rich_help_panel=TRAINING)]
ClipNorm = Annotated[float | None, typer.Option(help="Largest norm of the gradient.", rich_help_panel=TRAINING)]
Patience = Annotated[
    int | None, typer.Option(min=1, help="Stop after this many epochs without improvement.", rich_help_panel=TRAINING)
]
Seed = Annotated[int | None, typer.Option(help="Of weights, order and dropout.", rich_help_panel=TRAINING)]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Of products and loops; 1 by default.", rich_help_panel=TRAINING)
]
TrainDialect = Annotated[
    str | None,
    typer.Option(help="What a step is compiled to: loops, planned or longhand; or eager.", rich_help_panel=TRAINING),
]

ValidFraction = Annotated[float | None, typer.Option(help="Share kept for validation.", rich_help_panel=DATA)]
TestFraction = Annotated[
    float | None, typer.Option(help="Share kept for the test, where the data has no split.", rich_help_panel=DATA)
]
Target = Annotated[
    str | None, typer.Option(help="Column of a CSV to predict; by default the last.", rich_help_panel=DATA)
]

Out = Annotated[Path | None, typer.Option(help="Folder of the run; by default runs/DATASET-N.", rich_help_panel=RUN)]
Resume = Annotated[
    Path | None,
    typer.Option(help="Go on with the run in this folder, bit for bit.", metavar="RUN", rich_help_panel=RUN),
]
SaveEvery = Annotated[
    float | None, typer.Option(min=0.0, help="Seconds between checkpoints within an epoch.", rich_help_panel=RUN)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only the result.", rich_help_panel=RUN)]
