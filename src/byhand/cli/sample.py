"""`byhand sample RUN --prompt TEXT`: let a network that was trained on text write on."""

from __future__ import annotations

from typing import Annotated

import typer

from byhand.cli import options
from byhand.cli.guard import guarded


def sample(
    run: options.RunFolder,
    prompt: Annotated[str, typer.Option(help="What the text begins with.")] = "\n",
    length: Annotated[int, typer.Option(min=1, help="Characters to write.")] = 500,
    temperature: Annotated[float, typer.Option(help="Below 1 safer, above 1 bolder.")] = 0.8,
    top_k: Annotated[int | None, typer.Option(min=1, help="Choose among this many likeliest characters.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    debug: options.Debug = False,
) -> None:
    """Write text with the network of a run, character by character."""
    with guarded(debug):
        from byhand.core.errors import UsageError
        from byhand.core.generator import Generator
        from byhand.creation import tensor
        from byhand.models.characters import CharacterModel
        from byhand.train.run import Run

        loaded = Run.load(run)
        model, characters = loaded.model(), loaded.classes
        if not isinstance(model, CharacterModel):
            raise UsageError(f"{run} was not trained to write text; byhand train lstm and byhand train gpt are")
        places = {character: i for i, character in enumerate(characters)}
        unknown = sorted(set(prompt) - set(places))
        if unknown:
            raise UsageError(f"the network has never seen {''.join(unknown)!r}; it knows {''.join(characters)!r}")
        begin = tensor([places[character] for character in prompt], dtype="int64")
        drawn = model.generate(begin, length, temperature, top_k, Generator().manual_seed(seed))
        typer.echo(prompt + "".join(characters[i] for i in drawn.tolist()))
