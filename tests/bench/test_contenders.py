from __future__ import annotations

import os

import pytest

from byhand.bench import contenders as module
from byhand.bench.contenders import OURS, Contender, contenders, race, scratch_caches
from byhand.bench.networks import NETWORKS

PLANAR = NETWORKS[3]
AT_ONCE = {"rest": 0.0, "turn": 0.0, "warm_up": 0.0}


class Builder:
    """Counts how often it has built, and how many steps it has run."""

    def __init__(self) -> None:
        self.built = self.run = 0

    def __call__(self):
        self.built += 1
        return self.step

    def step(self) -> None:
        self.run += 1


def test_everybody_is_there_and_quick_leaves_the_other_compilers_out():
    rivals = ["PyTorch 1", "PyTorch 2"]
    assert list(contenders(PLANAR, quick=True)) == [*OURS, *rivals]
    compilers = ["torch.compile 1", "torch.compile 2", "JAX"]
    assert list(contenders(PLANAR)) == [*OURS, *rivals, *compilers]


def test_what_takes_seconds_is_built_once_and_all_else_before_each_turn():
    fresh, kept = Builder(), Builder()
    race({"fresh": Contender(fresh), "kept": Contender(kept, kept=True)}, 3, **AT_ONCE)
    assert (fresh.built, kept.built) == (4, 1)


def test_only_pytorchs_compiler_builds_once():
    assert {name for name, entrant in contenders(PLANAR).items() if entrant.kept} == {
        name for name in contenders(PLANAR) if name.startswith("torch.compile")
    }


def test_first_calls_are_run_before_the_turn():
    builder = Builder()
    race({"a": Contender(builder, kept=True, calls=5)}, 1, **AT_ONCE)
    assert builder.run == 5 + 2, "and one to warm up, one timed"


def test_who_is_not_installed_is_named():
    timings, absent = race({"a": Contender(Builder()), "b": Contender(Builder(), "no_such_package")}, 1, **AT_ONCE)
    assert list(timings.seconds) == ["a"]
    assert absent == {"b": "no_such_package not installed"}


def test_a_rival_that_fails_is_left_out_with_its_reason():
    def fail():
        raise RuntimeError("no working C++ compiler\nand so on")

    timings, absent = race({"a": Contender(Builder()), "rival": Contender(fail)}, 1, **AT_ONCE)
    assert list(timings.seconds) == ["a"]
    assert absent == {"rival": "RuntimeError: no working C++ compiler"}


@pytest.mark.parametrize("name", OURS)
def test_our_own_failures_are_not_hidden(name):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        race({name: Contender(fail)}, 1, **AT_ONCE)


def test_race_without_extras(monkeypatch):
    monkeypatch.setattr(module, "is_installed", lambda package: package == "numpy")
    timings, absent = race(contenders(PLANAR), 1, **AT_ONCE)
    assert list(timings.seconds) == ["by hand", "planned", "products"]
    assert set(absent.values()) == {"llvmlite not installed", "torch not installed", "jax not installed"}


def test_pytorchs_files_go_to_a_folder_that_goes_away(monkeypatch):
    name = "TORCHINDUCTOR_CACHE_DIR"
    monkeypatch.setenv(name, "mine")
    with scratch_caches():
        folder = os.environ[name]
        assert os.path.isdir(folder)
    assert not os.path.exists(folder)
    assert os.environ[name] == "mine"
    monkeypatch.delenv(name)
    with scratch_caches():
        pass
    assert name not in os.environ
