"""Networks of ``keras.applications``: torchvision's, with or without their classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from k2t.ir.finding import Finding, NotMigrated, Severity
from k2t.ir.program import Change, Model, Program
from k2t.ir.values import Const, Obj, Shape, as_int
from k2t.lower import text as t
from k2t.lower.initial import Made
from k2t.lower.ops import Context, Op, ParamInit
from k2t.lower.parameters import initializer
from k2t.lower.parts import layers_of
from k2t.table import Row

NETWORK, INNER = "Application", "ApplicationLayer"
IMAGENET = ("[123.675, 116.28, 103.53]", "[58.395, 57.12, 57.375]")
"""Mean and standard deviation of the images that torchvision's weights were trained on."""
POOLS = {"avg": "nn.AdaptiveAvgPool2d(1)", "max": "nn.AdaptiveMaxPool2d(1)"}


def network(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    """The modules of a network on channels first; pooled if Keras pools."""
    rule = rule_of(ctx, layer)
    builder = str(rule.data["torchvision"])
    name = builder if builder not in ctx.bound else f"torchvision.models.{builder}"
    top = t.data(layer.args["top"].value) is True
    net = f"{name}({', '.join(options(rule, layer, top, shape))})"
    pooling = None if top else t.data(layer.args["pooling"].value)
    if "node" in rule.data:
        return cut(rule, net, "top" if top else pooling)
    features = ["{net}"] if top else rule.data["features"]
    parts = [*scaling(rule, layer), *(part.replace("{net}", net) for part in features)]
    if pooling is not None:
        parts += [POOLS[str(pooling)], "nn.Flatten()"]
    single = len(parts) == 1 and not parts[0].startswith("*")
    module = parts[0] if single else f"nn.Sequential({', '.join(parts)})"
    out = "last" if pooling or top else "first"
    return [Op(module=module, layout="first", out=out, stem=builder)]


def options(rule: Row, layer: Obj, top: bool, shape: Shape | None) -> list[str]:
    """The arguments of torchvision's builder."""
    found = ['weights="IMAGENET1K_V1"'] if is_trained(layer) else []
    if not top:
        return found
    classes = t.text(layer.args["classes"].value)
    if classes != "1000":
        found.append(f"num_classes={classes}")
    sizes = [as_int(d) for d in (shape or ())[:2]]
    if rule.name.startswith("VGG") and any(size not in (None, 224) for size in sizes):
        raise NotMigrated(
            "K2T150", f"{rule.name}'s classifier for another size than 224", layer.span
        )
    return [*found, rule.data["top"]] if "top" in rule.data else found


def rule_of(ctx: Context, layer: Obj) -> Row:
    return ctx.table.rows["applications"][str(t.data(layer.args["network"].value))]


def is_trained(layer: Obj) -> bool:
    """Whether a network starts from torchvision's ImageNet weights."""
    return t.data(layer.args["weights"].value) is not None


def cut(rule: Row, net: str, pooling: object) -> list[Op]:
    """A network whose modules are no chain, cut by torchvision's feature extraction."""
    node, ending = rule.data["node"], ""
    if pooling == "top":
        node = rule.data["classified"]
    elif pooling == "avg":
        node, ending = rule.data["pooled"], ".flatten(1)"
    elif pooling is not None:
        ending = ".amax((2, 3))"
    module = f'create_feature_extractor({net}, {{"{node}": "features"}})'
    stem, out = str(rule.data["torchvision"]), "last" if pooling else "first"
    call = '{m}({x})["features"]' + ending
    return [Op(module=module, call=call, layout="first", out=out, stem=stem)]


def scaling(rule: Row, layer: Obj) -> list[str]:
    """What Keras's network does to its images itself; torchvision's leaves that to its user."""
    if "scaled" not in rule.data or t.data(layer.args["scaled"].value) is not True:
        return []
    mean, std = [[number] * 3 for number in rule.data["scaled"]]
    texts = rule.get("imagenet", IMAGENET) if is_trained(layer) else (str(mean), str(std))
    return [f"Normalize({texts[0]}, {texts[1]})"]


def differences(ctx: Context, model: Model) -> list[Finding]:
    """In what the networks differ that a model has and none before it."""
    found = []
    for layer in {layer.span: layer for layer in layers_of(model)}.values():
        if layer.row != NETWORK or layer.id in model.owners:
            continue
        rule = rule_of(ctx, layer)
        said = [rule.data["differs"]] if rule.data["differs"] else []
        if is_trained(layer):
            said.append("ImageNet weights of another training, for images by mean and deviation")
        elif rule.get("own_start"):
            said.append("it starts as torchvision starts it")
        text = f"torchvision's {rule.data['torchvision']} for Keras's {rule.name}: "
        if said:
            found.append(Finding("K2T151", Severity.WARNING, text + "; ".join(said), layer.span))
    return found


def convolutions(ctx: Context, model: Model, made: Sequence[Made]) -> list[Made]:
    """The convolutions inside untrained networks, for their start: some of them have a bias."""
    found = []
    for path, _, layer in made:
        if layer.row != NETWORK or layer.id in model.owners or not starts_plainly(ctx, layer):
            continue
        inits = [initializer(ctx, Const(name)) for name in ("glorot_uniform", "zeros")]
        params = zip(("weight", "bias"), ("kernel", "bias"), inits, strict=True)
        starts = tuple(
            ParamInit(torch, text, words, keras) for torch, keras, (text, words) in params
        )
        conv = Obj(-layer.id, "Conv2D", {}, layer.span, layer.stmt)
        found.append((f"{path}[?]", Op(module="nn.Conv2d(bias=...)", params=starts), conv))
        if t.data(layer.args["top"].value) is True:
            dense = Obj(-layer.id, "Dense", {}, layer.span, layer.stmt)
            found.append((f"{path}[?]", Op(module="nn.Linear()", params=starts), dense))
    return found


def places(ctx: Context, network: Obj) -> dict[str, str]:
    """Keras's layers with weights, and where they are in torchvision's ``features``."""
    items = [item.split("=") for item in str(rule_of(ctx, network).data["layers"]).split()]
    return {item[0]: item[1] for item in items if len(item) == 2}


def part_of(path: str, place: str) -> str:
    """``base[12].conv[0]`` of ``12.conv.0``."""
    return path + "".join(f"[{p}]" if p.isdigit() else f".{p}" for p in place.split("."))


def changed_parts(
    root: str, known: Mapping[str, str], wanted: Mapping[str, bool]
) -> Iterator[tuple[str, bool]]:
    """The modules of a chain that are frozen or not: runs of its elements, or parts of one."""
    elements: dict[int, list[tuple[str, bool | None]]] = {}
    for name, place in known.items():
        elements.setdefault(int(place.split(".")[0]), []).append((place, wanted.get(name)))

    def said(number: int) -> bool | str | None:
        told = {one for _, one in elements[number]}
        return told.pop() if len(told) == 1 else f"parts of {number}"

    for what, run in groupby(elements, key=said):
        numbers = list(run)
        if isinstance(what, str):
            inside = elements[numbers[0]]
            yield from ((part_of(root, place), one) for place, one in inside if one is not None)
        elif what is not None:
            if len(numbers) == 1 < len(elements):
                yield f"{root}[{numbers[0]}]", what
                continue
            start = "" if numbers[0] == min(elements) else numbers[0]
            end = "" if numbers[-1] == max(elements) else numbers[-1] + 1
            yield (root if start == end == "" else f"{root}[{start}:{end}]"), what


def network_parts(
    ctx: Context, made: Sequence[Made], variable: str, changes: Sequence[Change]
) -> Iterator[tuple[str, bool]]:
    """What ``trainable`` of single layers of a network comes to, in torchvision's."""
    asked = {str(t.data(c.layer.args["name"].value)): c.trainable for c in changes if c.layer}
    number = next(c.layer.id for c in changes if c.layer is not None)
    path, _, network = next(m for m in made if m[2].id == number)
    root = variable + path.removeprefix("self")
    if t.data(network.args["pooling"].value) is not None:
        root += "[0]"  # the pooling stands behind it
    yield from changed_parts(root, places(ctx, network), asked)


def pretrained_parts(ctx: Context, made: Sequence[Made]) -> list[str]:
    """Where networks are that keep the weights they have."""
    return [p for p, _, layer in made if layer.row == NETWORK and not starts_plainly(ctx, layer)]


def starts_plainly(ctx: Context, layer: Obj) -> bool:
    """Whether a network starts from scratch as layers do that are told nothing."""
    return not is_trained(layer) and not rule_of(ctx, layer).get("own_start")


def preprocess(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """``preprocess_input`` of a tensor."""
    mode = str(t.data(layer.args["mode"].value))
    if mode == "":
        return [Op(call="{x}")]
    if mode == "torch" or ctx.imagenet:
        return [
            Op(
                module=f"Normalize({IMAGENET[0]}, {IMAGENET[1]})",
                layout="first",
                out="first",
                stem="normalize",
            )
        ]
    if mode == "tf":
        return [Op(call="{x} / 127.5 - 1")]
    mean = "[103.939, 116.779, 123.68]"
    return [
        Op(
            call="{x}[..., [2, 1, 0]]",
            first="{x}[:, [2, 1, 0]]",
            layout="first",
            comment="RGB -> BGR",
        ),
        Op(module=f"Normalize({mean}, [1, 1, 1])", layout="first", out="first", stem="normalize"),
    ]


def network_of(model: Model) -> Obj | None:
    """The network that a model is, and nothing else."""
    found = list(layers_of(model))
    alone = found[0] if len({layer.span for layer in found}) == 1 else None
    return (
        alone if alone is not None and alone.row == NETWORK and alone.span == model.span else None
    )


def trained(program: Program) -> bool:
    """Whether networks of the script start from torchvision's ImageNet weights."""
    networks = [x for m in program.models for x in layers_of(m) if x.row == NETWORK]
    return any(is_trained(layer) for layer in networks)


def stays_outside(ctx: Context, program: Program, model: Model) -> bool:
    """Whether a model is a network that nothing is done with but to build others on it: then it
    needs no class."""
    network = network_of(model)
    if network is None or model.compile is not None or starts_plainly(ctx, network):
        return False
    uses = {u.kind for u in program.uses if set(u.models) & set(model.instances)}
    return uses <= {"model", "trainable"} and not (model.home and model.home.becomes_class)
