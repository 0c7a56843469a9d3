from __future__ import annotations

import byhand.data
import byhand.utils.data


def test_pytorchs_path_leads_to_the_same_things() -> None:
    names = set(byhand.data.__all__) - {"datasets"}
    assert names == set(byhand.utils.data.__all__)
    assert all(getattr(byhand.utils.data, name) is getattr(byhand.data, name) for name in names)
