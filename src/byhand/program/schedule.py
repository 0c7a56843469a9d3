"""The order of the nodes: updates as early as they can be, so that a gradient is gone before the next one comes.

`schedule` turns a lowered program into the same program in another order. Nothing else moves: forward and backward stay
as they were recorded, which frees activations in the order in which backward needs them. Called by the dialects, before
`memory.plan`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable
from itertools import pairwise
from typing import TypeVar

from byhand.program.ir import CHECK, COMPUTED, UPDATE, Node, Program, ProgramError, Value
from byhand.program.layout import Layouts, layouts
from byhand.program.primitives import CALL, COPY, MAP, NUMERIC, PRODUCT, VIEW

ELEMENTWISE = (MAP, VIEW)
T = TypeVar("T", bound=Hashable)


def schedule(program: Program) -> Program:
    """The same program in an order that needs little memory; each new value of a state gets a node of its own.

    Arithmetic of Python numbers comes first. The *tail* of a parameter, which is the last step of its gradient and the
    update that uses that up, is one run of nodes, as early as possible. A state is read the last time before its new
    value is computed, wherever the values allow that order, so that it can be computed in place; and checks come before
    that. Effects keep their order.
    """
    program = _settled(program)
    tails = _tails(program, layouts(program))
    return program.replaced(_Order(program, tails, _companies(program, tails)).nodes())


def _settled(program: Program) -> Program:
    """The program with a copy before each write of what is not computed for that write alone, and in its layout."""
    lies = layouts(program)
    producers = program.producers()
    nodes, writes = list(program.nodes), []
    taken: set[Value] = set()
    for state, new in program.writes:
        node = producers.get(new)
        own = node is not None and node.op.kind not in (VIEW, CALL) and new not in taken
        if not own or lies[new].strides != lies[state].strides:
            copy = Value(state.shape, state.dtype, state.order, COMPUTED, new.name if node is not None else "")
            nodes.append(Node(COPY, (new,), {}, (copy,), UPDATE if node is None else node.section))
            new = copy
        taken.add(new)
        writes.append((state, new))
    settled = program.replaced(nodes)
    settled.writes = writes
    return settled


# Tails.


def _tails(program: Program, lies: Layouts) -> list[list[Node]]:
    """For each group of states that are updated together, the nodes that serve their update alone.

    Found backwards from the writes: elementwise nodes, and one node of another kind before them, the gradient. A
    gradient that is added up (of a weight used many times) is no part of it but for its last summand.
    """
    uses, producers = program.uses(), program.producers()
    place = {node: i for i, node in enumerate(program.nodes)}
    kept = {x for x in program.outputs if isinstance(x, Value)} | {new for _, new in program.number_writes}
    written = {new for _, new in program.writes}
    inside: set[Node] = set()
    for node in reversed(program.nodes):  # all users of a node come after it
        if node.op.kind in ("effect", NUMERIC) or any(out in kept for out in node.outputs):
            continue
        users = [user for out in node.outputs for user in uses.get(out, ())]
        ends = any(out in written for out in node.outputs)
        if (users or ends) and all(user in inside and user.op.kind in ELEMENTWISE for user in users):
            inside.add(node)
    tails = []
    for group in _connected(inside, producers):
        tail = _latest_only(sorted(group, key=place.__getitem__), producers)
        if _is_small(tail[0], lies):  # what it is made of can go before the weight is free to be updated
            tails.append([tail.pop(0)])
        if any(out in written for node in tail for out in node.outputs):
            tails.append(tail)
    return tails


def _connected(nodes: set[Node], producers: dict[Value, Node]) -> list[set[Node]]:
    """The nodes in groups between which no value passes."""
    group: dict[Node, set[Node]] = {node: {node} for node in nodes}
    for node in nodes:
        for x in node.values:
            other = producers.get(x)
            if other in group and group[other] is not group[node]:
                small, large = sorted((group[node], group[other]), key=len)
                large |= small
                for member in small:
                    group[member] = large
    return list({id(members): members for members in group.values()}.values())


def _latest_only(group: list[Node], producers: dict[Value, Node]) -> list[Node]:
    """The group, less what can be computed before its latest node that is not elementwise."""
    others = [node for node in group if node.op.kind not in ELEMENTWISE]
    if len(others) < 2:
        return group
    after, before = {others[-1]}, set(others[:-1])
    for node in group:
        sources = {producers[x] for x in node.values if x in producers}
        if sources & after:
            after.add(node)
        elif sources & before:
            before.add(node)
    for node in reversed(group):  # and what those need
        if node in before:
            before |= {producers[x] for x in node.values if x in producers}
    return [node for node in group if node not in before or node in after]


def _is_small(node: Node, lies: Layouts) -> bool:
    """Whether a gradient is no larger than the larger of what it is computed from."""
    before = [lies[x].root.nbytes for x in node.values if x in lies and lies[x].root.origin == COMPUTED]
    return node.op.kind not in ELEMENTWISE and bool(before) and node.out.nbytes <= max(before)


def _companies(program: Program, tails: list[list[Node]]) -> list[list[Node]]:
    """Each product with the one elementwise node that reads it, and what is computed for that node alone.

    So they can be one tile.
    """
    uses, producers = program.uses(), program.producers()
    place = {node: i for i, node in enumerate(program.nodes)}
    taken = {node for tail in tails for node in tail}
    kept = set(program.roots)
    companies = []
    for node in program.nodes:
        readers = uses.get(node.out, []) if node.outputs else []
        if node.op.kind != PRODUCT or node in taken or len(readers) != 1 or readers[0].op.kind != MAP:
            continue
        company, waiting = {node, readers[0]}, [readers[0]]
        if taken & company:
            continue
        while waiting:
            for x in waiting.pop().values:
                source = producers.get(x)
                if source is None or source in taken | company or source.op.kind not in ELEMENTWISE or x in kept:
                    continue
                if all(reader in company for reader in uses[x]):
                    company.add(source)
                    waiting.append(source)
        taken |= company
        companies.append(sorted(company, key=place.__getitem__))
    return companies


# The order.


class _Order:
    """Which nodes must come before which, in units that are run without a pause: tails, companies, single nodes."""

    def __init__(self, program: Program, tails: list[list[Node]], companies: list[list[Node]]) -> None:
        self.program, self.tails = program, len(tails)
        groups = [*tails, *companies]
        inside = {node for group in groups for node in group}
        self.units = [*groups, *[[node] for node in program.nodes if node not in inside]]
        self.place = {node: i for i, node in enumerate(program.nodes)}
        self.unit_of = {node: i for i, unit in enumerate(self.units) for node in unit}
        self.after: list[set[int]] = [set() for _ in self.units]  # the units that wait for this one
        self.nodes_after: dict[Node, set[Node]] = {}  # the same within units
        producers = program.producers()
        for node in program.nodes:
            self._wait(node, [producers[x] for x in node.values if x in producers])
        effects = [node for node in program.nodes if node.op.kind == "effect"]
        for earlier, later in pairwise(effects):
            self._wait(later, [earlier])
        self._reads_before_writes(layouts(program), producers)

    def _wait(self, node: Node, earlier: Iterable[Node]) -> None:
        mine = self.unit_of[node]
        for other in earlier:
            if self.unit_of[other] != mine:
                self.after[self.unit_of[other]].add(mine)
            elif other is not node:
                self.nodes_after.setdefault(other, set()).add(node)

    def _reads_before_writes(self, lies: Layouts, producers: dict[Value, Node]) -> None:
        """Let a state's new value wait for the readers of the old one and for checks, where that is possible."""
        readers: dict[Value, list[Node]] = {}
        for node in self.program.nodes:
            for x in node.values:
                if x in lies and node.op.kind != VIEW:
                    readers.setdefault(lies[x].root, []).append(node)
        checks = [[node] for node in self.program.nodes if node.op is CHECK]
        for state, new in self.program.writes:
            writer = producers[new]
            for earlier in (*checks, [node for node in readers.get(state, ()) if node is not writer]):
                if not self._reaches(writer, earlier):
                    self._wait(writer, earlier)

    def _reaches(self, start: Node, targets: list[Node]) -> bool:
        """Whether one of the targets has to come after `start`."""
        mine = self.unit_of[start]
        others = {self.unit_of[node] for node in targets} - {mine}
        if _reachable(mine, others, lambda i: self.after[i]):
            return True
        own = {node for node in targets if self.unit_of[node] == mine}
        return _reachable(start, own, lambda node: self.nodes_after.get(node, ()))

    def nodes(self) -> list[Node]:
        """All nodes: numbers, then views and tails as soon as they are ready, and the others as they were recorded."""

        def rank(i: int) -> tuple[int, int]:
            first = self.units[i][0]
            if first.op.kind == NUMERIC:
                return 0, self.place[first]
            if first.op.kind == VIEW or i < self.tails:
                return (1 if first.op.kind in ELEMENTWISE else 2), self.place[first]
            return 3, self.place[first]

        def after(node: Node) -> Iterable[Node]:
            return self.nodes_after.get(node, ())

        def rank_inside(node: Node) -> tuple[int, int]:
            # what goes with a product comes before it: often it is small, and frees what it is made of
            return int(node.op.kind == PRODUCT and self.unit_of[node] >= self.tails), self.place[node]

        order = _sorted(range(len(self.units)), self.after.__getitem__, rank)
        return [node for i in order for node in _sorted(self.units[i], after, rank_inside)]


def _reachable(start: T, targets: set[T], after: Callable[[T], Iterable[T]]) -> bool:
    """Whether one of the targets comes after `start`."""
    waiting, known = [start], {start}
    while waiting and targets:
        for follower in after(waiting.pop()):
            if follower in targets:
                return True
            if follower not in known:
                known.add(follower)
                waiting.append(follower)
    return False


def _sorted(items: Iterable[T], after: Callable[[T], Iterable[T]], rank: Callable[[T], tuple[int, int]]) -> list[T]:
    """The items in an order in which each comes before those after it; among the possible ones the lowest rank."""
    items = list(items)
    number = {item: i for i, item in enumerate(items)}
    missing = dict.fromkeys(items, 0)
    for item in items:
        for follower in after(item):
            missing[follower] += 1
    ready = [(rank(item), number[item]) for item in items if not missing[item]]
    heapq.heapify(ready)
    order = []
    while ready:
        item = items[heapq.heappop(ready)[1]]
        order.append(item)
        for follower in after(item):
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(ready, (rank(follower), number[follower]))
    if len(order) < len(items):
        raise ProgramError("nodes wait for each other in a circle")
    return order
