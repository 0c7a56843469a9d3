"""What NumPy's functions do to symbols: ufuncs, the functions written in C, and what makes arrays.

NumPy's functions written in Python are run as they are, on symbols (see `stand_in`). Called by the methods of `Symbol`,
through NumPy's protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.program import symbol
from byhand.program.ir import Value, order_of
from byhand.program.journal import Journal, UnseenError
from byhand.program.primitives import WHERE
