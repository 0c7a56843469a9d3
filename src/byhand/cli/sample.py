"""`byhand sample RUN`: let a network write on from a prompt, or make up images and points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from byhand.cli import options
from byhand.cli.guard import guarded

if TYPE_CHECKING:
    from byhand.core.generator import Generator
    from byhand.core.variable import Array
    from byhand.models.characters import CharacterModel

TEXT, SAMPLES = "Text", "Images and points"


def sample(
    run: options.RunFolder,
    prompt: Annotated[str, typer.Option(help="What the text begins with.", rich_help_panel=TEXT)] = "\n",
    length: Annotated[int, typer.Option(min=1, help="Characters to write.", rich_help_panel=TEXT)] = 500,
    temperature: Annotated[float, typer.Option(help="Below 1 safer, above 1 bolder.", rich_help_panel=TEXT)] = 0.8,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Choose among this many likeliest characters.", rich_help_panel=TEXT)
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, help="How many to make up; by default 64 images, 2,000 points.", rich_help_panel=SAMPLES),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A .png, or .npy for the numbers; by default RUN/samples.png.", rich_help_panel=SAMPLES),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    debug: options.Debug = False,
) -> None:
    """Write text, character by character, or make up samples, with the network of a run."""
    with guarded(debug):
        from byhand.core.errors import UsageError
        from byhand.core.generator import Generator
        from byhand.models.characters import CharacterModel
        from byhand.models.generative import GenerativeModel
        from byhand.train.run import Run

        loaded, generator = Run.load(run), Generator().manual_seed(seed)
        model = loaded.model()
        if isinstance(model, CharacterModel):
            typer.echo(_written(model, loaded.classes, prompt, length, temperature, top_k, generator))
        elif isinstance(model, GenerativeModel):
            number = count or (64 if len(model.shape) == 3 else 2000)
            path = out or run / "samples.png"
            _draw(path, model.generate(number, generator).array)
            typer.echo(f"{number:,} samples in {path}")
        else:
            raise UsageError(
                f"{run} was not trained to write text or to make up samples; "
                "byhand train lstm, byhand train gpt, byhand train vae and byhand train gan are"
            )


def _written(
    model: CharacterModel,
    characters: list[str],
    prompt: str,
    length: int,
    temperature: float,
    top_k: int | None,
    generator: Generator,
) -> str:
    from byhand.core.errors import UsageError
    from byhand.creation import tensor

    places = {character: i for i, character in enumerate(characters)}
    unknown = sorted(set(prompt) - set(places))
    if unknown:
        raise UsageError(f"the network has never seen {''.join(unknown)!r}; it knows {''.join(characters)!r}")
    begin = tensor([places[character] for character in prompt], dtype="int64")
    drawn = model.generate(begin, length, temperature, top_k, generator)
    return prompt + "".join(characters[i] for i in drawn.tolist())


def _draw(path: Path, samples: Array) -> None:
    """A picture of images (N, C, H, W) or of points (N, 2), or the numbers themselves."""
    import numpy as np

    from byhand.core.errors import DataError, UsageError
    from byhand.data.drawing import scattered, tiled, write_png

    if path.suffix == ".png":
        write_png(path, tiled(samples) if samples.ndim == 4 else scattered(samples))
    elif path.suffix == ".npy":
        try:
            np.save(path, samples)
        except OSError as error:
            raise DataError(f"could not write {path}: {error.strerror}") from error
    else:
        raise UsageError(f"samples are written to a .png or .npy file, not to {path}")
