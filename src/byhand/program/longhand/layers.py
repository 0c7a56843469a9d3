"""What the states of a program are called: parameters by their layer, moments by their parameter.

A path of the module tree is its own name: `fc1.weight` is `fc1_weight`. In an `nn.Sequential` layers have numbers only;
then the layer is called by what it does, `fc1`, `fc2`, `bn1`, counted in the order of the tree. Called by `naming`.
"""

from __future__ import annotations

from byhand.program.ir import Node, Program, Value, identifier

MOMENTS = {
    "exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "v_max", "momentum_buffer": "v", "square_avg": "v",
    "grad_avg": "m", "sum": "s", "acc_delta": "u", "exp_inf": "u", "variance": "v", "grad": "grad",
}  # fmt: skip
"""The letters of the papers for what optimisers keep; another key of theirs stays as it is."""


def state_names(program: Program) -> dict[Value, str]:
    """A name for each state, and for each argument that is a gradient; not necessarily unlike each other."""
    titles = _layer_titles(program)
    general = _general(program)
    states = set(program.states)
    given = [v for v in program.given if "." in v.name or v in states]
    paths = {v.name: v for v in given}
    squares = any(v.name.endswith(".square_avg") for v in given)
    names: dict[Value, str] = {}
    for value in given:
        owner, _, key = value.name.rpartition(".")
        if owner and owner in paths and paths[owner].shape == value.shape:
            letter = "b" if squares and key == "momentum_buffer" else MOMENTS.get(key, key)
            names[value] = f"{letter}_{_parameter_name(owner, titles)}".replace(general, "")
        else:
            names[value] = (_parameter_name(value.name, titles) or "state").removeprefix(general)
    return names


def _general(program: Program) -> str:
    """What all names begin with and which says nothing: `model_`, if the step has but one model."""
    firsts = {v.name.partition(".")[0] for v in program.states}
    deep = all(v.name.count(".") > 1 for v in program.states)
    return f"{firsts.pop()}_" if deep and len(firsts) == 1 and firsts <= {"model", "net", "network"} else "\0"


def _parameter_name(path: str, titles: dict[str, str]) -> str:
    layer, _, leaf = path.rpartition(".")
    name = identifier(f"{titles[layer]}_{leaf}" if layer in titles else path)
    return f"p{name}" if name.startswith("_") else name


def _layer_titles(program: Program) -> dict[str, str]:
    """A title for each layer whose last part is a number: its parents' names, its kind and its place among its like."""
    kinds: dict[str, str] = {}
    producers, states = program.producers(), set(program.states)
    for node in program.nodes:
        for value, kind in _kinds_read(node, producers, states):
            kinds.setdefault(value.name.rpartition(".")[0], kind)
    numbered = [v.name.rpartition(".")[0] for v in program.states if _is_numbered(v.name.rpartition(".")[0])]
    ranks: dict[tuple[str, str], list[tuple[int, ...]]] = {}
    keys: dict[str, tuple[tuple[str, str], tuple[int, ...]]] = {}
    for layer in dict.fromkeys(numbered):
        parts = layer.split(".")
        words = "_".join(part for part in parts if not part.isdigit())
        family = (words, kinds.get(layer, "layer"))
        place = tuple(int(part) for part in parts if part.isdigit())
        keys[layer] = family, place
        ranks.setdefault(family, []).append(place)
    return {
        layer: "_".join(filter(None, [words, f"{kind}{sorted(ranks[words, kind]).index(place) + 1}"]))
        for layer, ((words, kind), place) in keys.items()
    }


def _is_numbered(layer: str) -> bool:
    return layer.rpartition(".")[2].isdigit()


def _kinds_read(node: Node, producers: dict[Value, Node], states: set[Value]) -> list[tuple[Value, str]]:
    """The states that a node reads, with the kind of layer that this makes of theirs."""
    kind = kind_of(node)
    if kind is None:
        return []
    found = []
    for x in node.values:
        below = producers.get(x)
        while below is not None and below.op.kind == "view":
            x = below.inputs[0]
            below = producers.get(x)
        if x in states:
            found.append((x, kind))
    return found


def kind_of(node: Node) -> str | None:
    """The kind of layer that an op makes, if it is one with weights."""
    match node.op.name:
        case "linear" | "matmul":
            return "fc"
        case "normalize":
            return "bn" if 0 in node.attrs["axes"] else "ln"
        case "prelu":
            return "prelu"
        case "index":
            return "emb"
        case name if name.startswith("conv"):
            return "conv"
        case name if name.startswith(("lstm", "gru", "rnn")):
            return str(name).partition("_")[0]
    return None
