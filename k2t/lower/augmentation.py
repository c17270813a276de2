"""Layers that change images by chance in training, and those that resize or encode."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Const, Obj, Shape, Tuple, Value, as_int
from k2t.lower import text as t
from k2t.lower.convolutions import check_format, padding_module, sizes
from k2t.lower.ops import Context, Op, stem
from k2t.table import Row

PADDING = {"reflect": "reflection", "constant": "zeros", "nearest": "border"}
MODES = {"bilinear": "bilinear", "nearest": "nearest-exact", "bicubic": "bicubic"}


def augmentation(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """An emitted module of the layer's name; what Keras takes as one number is two here."""
    check_format(layer)
    arguments = amounts(row, layer)
    if row.get("flat"):
        arguments = [arguments[0][1:-1]]
    if "fill_mode" in {p.name for p in row.params}:
        arguments += warped(row, layer)
    for name in row.get("as_is", ()):
        default = next(p.default for p in row.params if p.name == name)
        if not t.same_value(value := t.get(layer.args, name), default):
            scalar = value if not isinstance(value, Tuple) else value.items[0]
            if not isinstance(t.data(scalar), int | float) or not is_even(value):
                raise NotMigrated("K2T100", f"{row.name}({name}=...) is no number here", layer.span)
            arguments.append(f"{name}={t.text(scalar)}")
    if "value_range" in {p.name for p in row.params}:
        if ctx.dialect != "keras3":
            raise NotMigrated("K2T100", f"{row.name} of Keras 2 has other limits", layer.span)
        if t.data(t.get(layer.args, "value_range")) != (0, 255):
            arguments.append(f"value_range={t.text(t.get(layer.args, 'value_range'))}")
    if row.name == "RandomFlip" and not t.same_value(t.get(layer.args, "mode"), ALL):
        arguments = [t.text(t.get(layer.args, "mode"))]
    ctx.helpers[row.name] = None
    return [Op(module=f"{row.name}({', '.join(arguments)})", layout="first", stem=stem(row.name))]


JITTER = {
    "brightness_factor": "RandomBrightness",
    "contrast_factor": "RandomContrast",
    "saturation_factor": "RandomSaturation",
    "hue_factor": "RandomHue",
}
ALL = "horizontal_and_vertical"


def amounts(row: Row, layer: Obj) -> list[str]:
    """From how much to how much, of all that is given; the emitted module has Keras's defaults."""
    names, words = row.data["amounts"], row.get("words")
    if words is None:
        found = [amount(row, layer, name) for name in names]
        return found[:-1] if found[-1:] == ["None"] else found
    given = [(n, w) for n, w in zip(names, words, strict=True) if layer.args[n].span is not None]
    plain = [name for name, _ in given] == names[: len(given)]
    return [f"{'' if plain else w + '='}{amount(row, layer, n)}" for n, w in given]


def amount(row: Row, layer: Obj, name: str) -> str:
    """From how much to how much."""
    given = t.get(layer.args, name)
    data = t.data(given)
    if t.is_none(given):
        return "None"
    if isinstance(data, tuple) and len(data) == 2:
        low, high = sorted(data)
        return f"({low}, {high})" if list(data) != [low, high] else t.text(given)
    if not isinstance(data, int | float):
        raise NotMigrated("K2T100", f"{row.name}({name}=...) is no number here", layer.span)
    text = t.text(given) if data >= 0 else str(-data)
    least = str(row.data["least"]) if "least" in row.data else f"-{text}"
    return f"({'0' if row.get('positive') else least}, {text})"


def is_even(value: Value) -> bool:
    """Whether all numbers of a tuple are one number."""
    return not isinstance(value, Tuple) or len({t.data(item) for item in value.items}) == 1


def random_crop(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """Keras crops by chance only where an image is higher and wider than the window."""
    check_format(layer)
    names = ("height", "width")
    wanted = [as_int(t.get(layer.args, name)) for name in names]
    larger = [
        n is not None and w is not None and n > w
        for n, w in zip(sizes(shape, 2), wanted, strict=True)
    ]
    if not all(larger) or ctx.dialect != "keras3":  # Keras 2 cuts out the middle where none trains
        raise NotMigrated("K2T100", "RandomCrop of images that may be no larger", layer.span)
    ctx.helpers[row.name] = None
    size = ", ".join(t.text(t.get(layer.args, name)) for name in names)
    return [Op(module=f"RandomCrop({size})", layout="first", stem="crop")]


def color_jitter(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """Brightness, contrast, saturation and hue, one after the other, as far as they are given."""
    modules: list[Op] = []
    for name, one in JITTER.items():
        if t.is_none(t.get(layer.args, name)):
            continue
        args = {key: layer.args[key] for key in ("value_range",) if key in layer.args}
        inner = Obj(layer.id, one, {"factor": layer.args[name], **args}, layer.span, layer.stmt)
        modules += augmentation(ctx, ctx.row(inner), inner, shape, width)
    if not modules:
        return [Op(call="{x}")]
    chain = ", ".join(str(op.module) for op in modules)
    return [Op(module=f"nn.Sequential({chain})", layout="first", stem="jitter")]


def warped(row: Row, layer: Obj) -> list[str]:
    """How pixels are read between and beyond those there are."""
    fill, mode = t.string(layer.args, "fill_mode"), t.string(layer.args, "interpolation")
    filled = t.same_value(t.get(layer.args, "fill_value"), 0.0) or fill != "constant"
    if fill not in PADDING or mode not in ("bilinear", "nearest") or not filled:
        raise NotMigrated("K2T100", f"{row.name}(fill_mode={fill!r}, interpolation={mode!r})")
    found = [] if mode == "bilinear" else [f'mode="{mode}"']
    return found + ([] if fill == "reflect" else [f'padding="{PADDING[fill]}"'])


def resizing(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    check_format(layer)
    mode = t.string(layer.args, "interpolation")
    if mode not in ("bilinear", "nearest"):
        raise NotMigrated("K2T108", f"Resizing(interpolation={mode!r}) is not carried over")
    size = ", ".join(t.text(t.get(layer.args, name)) for name in ("height", "width"))
    module = f'nn.Upsample(size=({size}), mode="{MODES[mode]}")'
    return [Op(module=module, layout="first", stem="resize")]


def center_crop(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """The middle of images that are not smaller; of an odd rest the far side is the longer."""
    check_format(layer)
    wanted = [as_int(t.get(layer.args, name)) for name in ("height", "width")]
    rests = [
        n - w if n is not None and w is not None else -1
        for n, w in zip(sizes(shape, 2), wanted, strict=True)
    ]
    if min(rests) < 0:
        raise NotMigrated("K2T108", "CenterCrop of images that may be smaller", layer.span)
    pairs = [(-(rest // 2), -(rest - rest // 2)) for rest in rests]
    return [Op(module=padding_module(2, pairs), layout="first", stem="crop", comment="the middle")]


def category_encoding(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """Numbers of categories as ones among zeros, or as counts."""
    tokens, mode = t.get(layer.args, "num_tokens"), t.string(layer.args, "output_mode")
    if t.is_none(tokens) or shape is None or len(shape) != 1:
        raise NotMigrated("K2T100", "CategoryEncoding of known tokens in one axis only", layer.span)
    call = f"F.one_hot({{x}}.long(), {t.text(tokens)})"
    single = as_int(shape[0]) == 1
    endings = {"multi_hot": ".amax(1)", "count": ".sum(1)", "one_hot": ".squeeze(1)"}
    if mode not in endings or (mode == "one_hot" and not single):
        raise NotMigrated("K2T100", f"CategoryEncoding(output_mode={mode!r})", layer.span)
    return [Op(call=f"{call}{endings[mode]}.float()", layout="last", stem="encode")]


def normalization(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """``(x - mean) / sqrt(variance)`` of numbers that are given."""
    mean, variance = t.get(layer.args, "mean"), t.get(layer.args, "variance")
    if not known_number(mean) or not known_number(variance):
        why = "Normalization without numbers for its mean and variance, that no variable holds"
        raise NotMigrated("K2T100", why, layer.span)
    inverse = t.flag(layer.args, "invert")
    below = f"max(({t.text(variance)}) ** 0.5, 1e-7)"
    call = f"({{x}} - {t.text(mean)}) / {below}"
    call = f"{{x}} * {below} + {t.text(mean)}" if inverse else call
    return [Op(call=call, layout="any", stem="normalize")]


def discretization(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """The number of the bin of each value."""
    bounds = t.text(t.get(layer.args, "bin_boundaries"))
    ctx.helpers["Discretization"] = None
    return [Op(module=f"Discretization({bounds})", stem="bins")]


def known_number(value: Value) -> bool:
    return isinstance(value, Const) and isinstance(t.data(value), int | float)
