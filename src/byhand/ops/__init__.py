"""The table of ops, by family; each module defines kernels, their rules, and the public functions made of them.

Importing a module fills `byhand.core.op.OPS`. Order of the floor: elementwise and views, then reduce, then the rest.
"""
