"""The README and every page of docs/ are executed: their ```python blocks, in order, one namespace a page."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of one language, each with the line its text begins on."""
    text = page.read_text("utf-8")
    return [(text[: m.start(2)].count("\n") + 1, m[2]) for m in BLOCK.finditer(text) if m[1] == language]


def run_session(page: Path, line: int, text: str, namespace: dict[str, Any]) -> None:
    """Run a block of `>>>` prompts; what is printed must be what the page says."""
    session = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), line - 1)
    session.globs = namespace
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(session, out=said.append, clear_globs=False).failed == 0, "".join(said)


def run_script(page: Path, line: int, text: str, namespace: dict[str, Any]) -> None:
    exec(compile("\n" * (line - 1) + text, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in PAGES if blocks(p, "python")])
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line, text in blocks(page, "python"):
        run = run_session if text.lstrip().startswith(">>>") else run_script
        run(page, line, text, namespace)


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_quoted_definition_is_the_source(page: str) -> None:
    (quoted,) = [text for _, text in blocks(ROOT / page, "text") if text.startswith("@op")]
    source = (ROOT / "src/byhand/ops/elementwise.py").read_text("utf-8").splitlines()
    assert [line for line in quoted.splitlines() if line and line not in source] == []


def test_readme_sets_up_in_two_lines() -> None:
    """One line to the first trained network, one to the tests; `.ci/run` executes both."""
    lines = [line for _, text in blocks(ROOT / "README.md", "sh") for line in text.splitlines()]
    assert len(lines) == 2
    assert lines[0].endswith("byhand train")
    assert lines[1].endswith("pytest")


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
