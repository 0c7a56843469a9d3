"""The dialect for reading; see `longhand`."""

from byhand.program.longhand.longhand import Longhand

__all__ = ["Longhand"]
