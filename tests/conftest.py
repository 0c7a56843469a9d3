"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# In CI the same examples each time: a failure there is one of the change, not of luck. Elsewhere every run looks anew.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
