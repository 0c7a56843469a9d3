"""The pass that drops what nobody needs."""

from __future__ import annotations

import dataclasses

from byhand.program.ir import Program


def dead_code(program: Program) -> Program:
    """Drop nodes whose outputs nobody reads, writes that change nothing, and what is given but not used.

    Arguments stay, read or not, and so do draws, which move the random stream on, and checks. The states that stay are
    those read or written.
    """
    writes = [(state, new) for state, new in program.writes if new is not state]
    if len(writes) < len(program.writes):
        program = dataclasses.replace(program, writes=writes)
    needed = set(program.roots)
    kept = []
    for node in reversed(program.nodes):
        if node.op.kind == "effect" or not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(node.values)
    needed.update([target for target, _ in (*writes, *program.number_writes)])
    numbers = [x for x in program.numbers if x in needed]
    states = [x for x in program.states if x in needed]
    constants = [x for x in program.constants if x in needed]
    sizes = (len(program.nodes), len(program.numbers), len(program.states), len(program.constants))
    if sizes == (len(kept), len(numbers), len(states), len(constants)):
        return program
    return dataclasses.replace(program, nodes=kept[::-1], numbers=numbers, states=states, constants=constants)
