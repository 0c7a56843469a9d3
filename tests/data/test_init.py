from __future__ import annotations

import subprocess
import sys

import pytest

import byhand.data


def test_datasets_are_loaded_on_first_use() -> None:
    code = (
        "import byhand.data, sys; print('byhand.data.datasets' in sys.modules); print(byhand.data.datasets.names()[0])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "digits"]


def test_other_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'dataset_s'"):
        byhand.data.dataset_s
