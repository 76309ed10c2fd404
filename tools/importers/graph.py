"""The way of a picture through a graph of operators, for files that hold one (ONNX, TFLite).

An importer turns each operator into a Node; the walk finds the trunk from the input to the pooling, checks that
everything on it is what a MobileNetV2 has there (strides, padding, ReLU6, residual sums), and gives the
Network, with the classifier behind the pooling if it is one linear layer. In order: nodes, the walk along
the trunk, finding the trunk, the classifier.
"""

from dataclasses import dataclass, field, replace

from .network import SourceError, add_classifier, assemble

MOST_STEPS = 20000
MOST_BEHIND = 16  # operators behind the pooling that may still be a classifier
KINDS = ("conv", "norm", "relu6", "relu", "min6", "pad", "prepare")  # what continues the trunk
SAME = "same"  # padding whose zeros follow TensorFlow's rule


@dataclass
class Node:
    """One operator.

    kind: one of KINDS, `add`, `pool`, `alias` (hands its input on: Identity, Quantize, Transpose); behind the
    pooling `linear`, `flat` (another shape), `shape` (asks for it), `softmax`; or the operator's own name. `make`
    is called when the walk arrives and gives: for `conv` and `linear` (Conv, pads, whether ReLU6 is fused), for
    `norm` (gamma, beta, mean, var, epsilon), for `pad` and `conv` pads (before, after) of both axes, or SAME; for a
    `prepare` that adds a constant, its values.
    """

    kind: str
    inputs: list
    outputs: list
    name: str = ""
    make: object = None


@dataclass
class _Walk:
    side: int
    convs: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    padding: str = None
    epsilon: float = None
    pads: tuple = None  # what a Pad has put around the current tensor
    relu: bool = False  # a ReLU whose upper limit is still to come

    def last(self, kind, node):
        if not self.convs or self.convs[-1].added is not None:
            raise SourceError(f"{node.name}: a MobileNetV2 has no {kind} there")
        return self.convs[-1]

    def rule(self, pads, stride, name):
        """The padding rule as far as this 3 x 3 convolution shows it; only stride 2 can."""
        odd = self.side is not None and self.side % 2
        same = (1, 1) if stride == 1 or odd else (0, 1)
        if pads == SAME and self.pads is None:
            around = same
        elif pads == SAME or (self.pads and pads != (0, 0)):
            raise SourceError(f"tensor {name}: padded twice")
        else:
            around = self.pads or pads
        self.pads = None
        if around not in (same, (1, 1)):
            raise SourceError(f"tensor {name}: {around[0]} and {around[1]} zeros around")
        if same != (1, 1):
            rule = "same" if around == same else "symmetric"
            if self.padding not in (None, rule):
                raise SourceError(f"tensor {name}: padding {rule}, {self.padding} before it")
            self.padding = rule
        self.side = None if self.side is None else -(-self.side // stride)

    def conv(self, node, current):
        conv, pads, relu6 = node.make()
        if conv.weight.ndim > 2:
            self.rule(pads, conv.stride, conv.name)
        elif self.pads or pads not in ((0, 0), SAME):
            raise SourceError(f"tensor {conv.name}: zeros around a 1 x 1 convolution")
        conv.relu6, conv.source = bool(relu6), current
        self.convs.append(conv)

    def norm(self, node):
        conv = self.last("BatchNorm", node)
        *parts, epsilon = node.make()
        if conv.bn is not None or conv.relu6:
            raise SourceError(f"{node.name}: a MobileNetV2 has no second BatchNorm there")
        if any(part.shape != conv.weight.shape[:1] for part in parts):
            raise SourceError(f"{node.name} does not fit to tensor {conv.name}")
        if self.epsilon not in (None, epsilon):
            raise SourceError(f"{node.name}: epsilon {epsilon:g}, {self.epsilon:g} before it")
        conv.bn, self.epsilon = tuple(parts), epsilon

    def activation(self, node):
        conv = self.last("activation", node)
        if conv.relu6 or (node.kind == "min6") != self.relu:
            raise SourceError(f"{node.name} behind tensor {conv.name}: a MobileNetV2 has ReLU6 there")
        self.relu = node.kind == "relu"
        conv.relu6 = not self.relu

    def add(self, node, other):
        conv = self.last("sum", node)
        if conv.relu6 or len(node.inputs) != 2:
            raise SourceError(f"{node.name}: no residual of a block")
        conv.added = other

    def step(self, node, current, root):
        if self.relu and node.kind != "min6":
            raise SourceError(f"behind tensor {self.convs[-1].name}: ReLU, a MobileNetV2 has ReLU6")
        if node.kind == "conv":
            self.conv(node, current)
        elif node.kind == "norm":
            self.norm(node)
        elif node.kind in ("relu6", "relu", "min6"):
            self.activation(node)
        elif node.kind == "add":
            self.add(node, [root(i) for i in node.inputs if root(i) != current][0])
        elif node.kind == "pad":
            if self.pads:
                raise SourceError(f"{node.name}: padded twice")
            self.pads = node.make()
        elif self.convs:
            raise SourceError(f"{node.name} behind tensor {self.convs[-1].name}: a MobileNetV2 has "
                              "none there")
        else:
            self.notes.append(f"the source itself begins with {node.name}; mean and std are those of "
                              "the values behind it")


class Graph:
    def __init__(self, nodes, start, backbone=False):
        self.backbone, self.steps = backbone, 0
        self.alias, self.readers = {}, {}
        for node in nodes:
            if node.kind == "alias" and node.outputs:
                self.alias[node.outputs[0]] = self.root(node.inputs[0])
        for node in nodes:
            if node.kind != "alias":
                for name in dict.fromkeys(map(self.root, node.inputs)):
                    self.readers.setdefault(name, []).append(node)
        self.start = start

    def root(self, name):
        """The tensor whose values these are."""
        return self.alias.get(name, name)

    def next_nodes(self, name):
        """What may follow on the trunk: a layer before a sum, which is met again at its other input."""
        readers = self.readers.get(name, [])
        layers = [node for node in readers if node.kind in KINDS
                  and self.root(node.inputs[0]) == name]
        if layers or any(node.kind == "pool" for node in readers):
            return layers
        return [node for node in readers if node.kind == "add" and len(node.inputs) == 2
                and self.root(node.inputs[0]) != self.root(node.inputs[1])]

    def trunk(self, name, length=0):
        """(nodes, the tensor at the end); where it branches, the longest way that is there."""
        way = []
        while True:
            self.steps += 1
            if self.steps > MOST_STEPS or length + len(way) > 2000:
                raise SourceError("the graph is too large, or turns in circles")
            following = self.next_nodes(name)
            if len(following) > 1 and not self.backbone:
                raise SourceError(f"{len(following)} operators take {name}: this may be a detection or "
                                  "segmentation model; --backbone takes the MobileNetV2 alone")
            if len(following) != 1:
                break
            way.append(following[0])
            name = self.root(following[0].outputs[0])
        if not following:
            return way, name
        if length > 900:
            raise SourceError("the graph branches too often")
        branches = []
        for node in following:
            rest, end = self.trunk(self.root(node.outputs[0]), length + len(way) + 1)
            branches.append(([node] + rest, end))
        rest, end = max(branches, key=lambda branch: len(branch[0]))
        return way + rest, end

    def network(self, input_size):
        way, end = self.trunk(self.start)
        readers = self.readers.get(end, [])
        if not self.backbone and not any(node.kind == "pool" for node in readers):
            what = f"{readers[0].name} follows" if readers else "nothing follows"
            raise SourceError(f"behind {end}, {what}: a MobileNetV2 has a pooling there; --backbone "
                              "takes the MobileNetV2 out of a larger network")
        walk, current = _Walk(input_size), self.start
        for node in way:
            try:
                walk.step(node, current, self.root)
            except SourceError:
                if not self.backbone or len(walk.convs) < 5:
                    raise
                break  # behind the backbone anything may stand
            current = self.root(node.outputs[0])
        found = assemble(walk.convs, walk.padding, input_size, has_graph=True,
                         backbone=self.backbone)
        self.add_classifier(found, end)
        found.epsilon, found.notes = walk.epsilon, walk.notes
        found.input, found.output = self.start, end
        return found

    def behind(self, name):
        """(the operators that follow a tensor, one behind the other; whether they branch)"""
        found = []
        while len(found) < MOST_BEHIND:
            nodes = [node for node in self.readers.get(name, []) if node.kind != "shape"]
            found += nodes
            if len(nodes) != 1:
                return found, len(nodes) > 1
            name = self.root(nodes[0].outputs[0])
        return found, True

    def add_classifier(self, found, pooled):
        nodes, branched = self.behind(pooled)
        nodes = [node for node in nodes if node.kind not in ("pool", "flat")]
        found.rest = ", ".join(node.name for node in nodes[:2])
        found.rest += f" and {len(nodes) - 2} more" if len(nodes) > 2 else ""
        try:
            conv = None if branched or not nodes else _linear(nodes)
        except SourceError as error:
            found.rest += f": {error}"
            return
        if conv:
            found.rest = f"{conv.name} {list(conv.weight.shape)}"
        if nodes:
            add_classifier(found, (conv.weight, conv.bias) if conv else None)


def _linear(nodes):
    """The 1 x 1 convolution that these operators are, with or without a softmax behind it, or None."""
    nodes = nodes[:-1] if nodes[-1].kind == "softmax" else nodes
    if not nodes or nodes[0].kind not in ("conv", "linear"):
        return None
    conv, _, relu6 = nodes[0].make()
    if relu6 or conv.weight.ndim != 2 or len(nodes) > 2:
        return None
    if len(nodes) == 1:
        return conv
    adds = nodes[1].kind == "prepare" and nodes[1].make and conv.bias is None
    return replace(conv, bias=nodes[1].make().reshape(-1)) if adds else None
