"""What networks are trained for: labels, numbers, text, samples rebuilt or made up, rewards. Called by `Job`."""

from __future__ import annotations

from byhand.train.recipe import Recipe
from byhand.train.tasks.acting import Acting
from byhand.train.tasks.generating import Imitating, Rebuilding
from byhand.train.tasks.supervised import Classifying, Estimating, Writing
from byhand.train.tasks.task import Task

OWN: dict[str, type[Task]] = {"vae": Rebuilding, "gan": Imitating}  # models that are made for one task


def task_for(recipe: Recipe, kind: str, classes: bool) -> Task:
    """The task of a recipe's model on data of this kind, with or without classes."""
    own = OWN.get(recipe.model.partition(":")[0])
    if own is not None:
        return own(recipe)
    if kind == "world":
        return Acting(recipe)
    if kind == "text":
        return Writing(recipe)
    return Classifying(recipe) if classes else Estimating(recipe)


__all__ = ["Task", "task_for"]
