"""Training as these tests run it: planned where they do not ask for more, which takes less time to compile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from byhand.train import step


@pytest.fixture(autouse=True)
def planned_by_default() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:  # its own, for tests that undo theirs
        patch.setattr(step, "default_dialect", lambda: "planned")
        yield
