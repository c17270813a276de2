"""The order of ``model.layers`` in a functional model: from the inputs to the outputs by depth.

Layers of the same depth stand in the order in which a search from the outputs back first meets them
(Keras 2.2 `Network._map_graph_network`, Keras 3 `map_graph`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from k2t.ir.values import Obj

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter
    from k2t.analyse.state import GraphNode, ModelState


def in_order(interp: Interpreter, state: ModelState) -> list[tuple[int, Obj]]:
    """The layers by number, inputs among them, and how far each is from the outputs.

    Empty where the numbers are not certain: operations between the layers, which count in some
    versions of Keras, and inputs that are made by a layer.
    """
    met: dict[int, int] = {}
    finished: dict[int, GraphNode] = {}
    for output in state.outputs:
        if not visit(interp, output, met, finished):
            return []
    if any(interp.graph[i].layer is not None for i in state.inputs):
        return []
    deep = depths(interp, finished)
    for number in state.inputs:  # one that nothing reads is the last
        deep.setdefault(number, 0)
        met.setdefault(number, -1)
    made = {
        key_of(node): node
        for node in (*finished.values(), *(interp.graph[i] for i in state.inputs))
    }
    order = sorted(deep, key=lambda key: (-deep[key], met[key]))
    return [(deep[key], layer_of(interp, made[key])) for key in order]


def visit(
    interp: Interpreter, number: int, met: dict[int, int], finished: dict[int, GraphNode]
) -> bool:
    """Go back from a tensor; False where something on the way is no layer."""
    node = source(interp, number)
    if node.id in finished:
        return True
    if node.layer is None and node.inputs:
        return False
    met.setdefault(key_of(node), len(met))
    if not all(visit(interp, before, met, finished) for before in node.inputs):
        return False
    finished[node.id] = node
    return True


def depths(interp: Interpreter, finished: dict[int, GraphNode]) -> dict[int, int]:
    """How far each layer is from the outputs at most."""
    layers: dict[int, int] = {}
    nodes: dict[int, int] = {}
    for node in reversed(finished.values()):
        depth = max(nodes.get(node.id, 0), layers.get(key_of(node), 0))
        layers[key_of(node)] = nodes[node.id] = depth
        for before in node.inputs:
            number = source(interp, before).id
            nodes[number] = max(depth + 1, nodes.get(number, 0))
    return layers


def source(interp: Interpreter, number: int) -> GraphNode:
    """What makes a tensor: of one of several outputs, the layer that has them."""
    node = interp.graph[number]
    while (node.operator or "").startswith("["):
        node = interp.graph[node.inputs[0]]
    return node


def key_of(node: GraphNode) -> int:
    return node.layer.id if node.layer is not None else node.id


def layer_of(interp: Interpreter, node: GraphNode) -> Obj:
    span = interp.spans.of(node.stmt)
    return node.layer if node.layer is not None else Obj(node.id, "Input", {}, span, span)
