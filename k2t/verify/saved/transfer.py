"""Puts the weights of a saved Keras model into a class of a migrated script, in a child process.

    python -m k2t.verify.saved.transfer SOURCE SCRIPT CLASS OUT RESULT

OUT is written only if all weights fit; RESULT gets {"status": 0|1|2, "lines": [...]} as JSON.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from k2t.verify.saved.keras_layers import Saved

SHOWN = 12  # layers that are named in a message


class Stop(Exception):
    """The end: the exit status, and the lines to say."""

    def __init__(self, status: int, *lines: str) -> None:
        super().__init__(status, lines)
        self.status, self.lines = status, lines


def main() -> None:
    source, script, name, out, result = sys.argv[1:]
    try:
        status, lines = 0, transfer(Path(source), Path(script), name, Path(out))
    except Stop as stop:
        status, lines = stop.status, stop.lines
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).split(".")[0]
        status, lines = 2, (f"the package {package} is missing: pip install 'k2t[verify]'",)
    except MemoryError:
        status, lines = 2, ("there is not enough memory for these weights",)
    Path(result).write_text(json.dumps({"status": status, "lines": lines}), encoding="utf-8")


def transfer(source: Path, script: Path, name: str, out: Path) -> tuple[str, ...]:
    """Writes OUT; returns what was placed, in words. Raises Stop."""
    saved = read_source(source)
    if out.suffix == ".safetensors":
        import safetensors.torch  # noqa: F401  a missing package is said before the long work
    import torch

    from k2t.verify.probes.blocker import block

    block("keras", "tensorflow", "tf_keras")
    torch.set_num_threads(1)
    model, fresh = fitted(saved, script, name)
    state = {key: value.detach().clone().contiguous() for key, value in model.state_dict().items()}
    data = encoded(state, out.suffix)
    check(data, out.suffix, fresh, state)
    out.write_bytes(data)
    return (placed(saved, model),)


def read_source(source: Path) -> Saved:
    from k2t.verify.saved.keras_file import Unreadable, read
    from k2t.verify.saved.keras_kinds import Unknown

    try:
        return read(source)
    except Unreadable as error:
        raise Stop(2, f"{source} cannot be read: {error}") from error
    except Unknown as error:
        raise Stop(1, f"{source}: {error}") from error
    except OSError as error:
        raise Stop(2, f"{source} cannot be read: {error.strerror or error}") from error


def fitted(saved: Saved, script: Path, name: str) -> tuple[nn.Module, nn.Module]:
    """The model with the weights in it, and another one without. Raises Stop."""
    from k2t.verify.saved.definitions import CannotMake, Definitions
    from k2t.verify.saved.matching import Ambiguous, DoesNotFit, match, place

    sys.argv = [str(script)]
    sys.path.insert(0, str(script.parent))
    problems: list[Stop] = []
    try:
        makers = Definitions(script, name).makers()
    except CannotMake as error:
        raise Stop(2, f"{script}: {error}") from error
    except OSError as error:
        raise Stop(2, f"{script} cannot be read: {error.strerror or error}") from error
    for maker in makers:
        try:
            model = checked(maker.make(), script, name)
            matched = match(saved, model)
            place(saved, matched)
            return model, maker.make()
        except CannotMake as error:
            problems.append(Stop(2, f"{script}: {error}"))
        except Stop as stop:
            problems.append(stop)
        except DoesNotFit as error:
            lines = [f"  {line}" for line in str(error).splitlines()]
            more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
            head = f"the weights do not fit {maker.shown} of {script}:"
            problems.append(Stop(1, head, *lines[:SHOWN], *more))
        except Ambiguous as error:
            problems.append(
                Stop(1, f"{error}; save the whole model with model.save('model.keras')")
            )
    raise min(problems, key=lambda stop: (stop.status, len(stop.lines)))


def checked(model: Any, script: Path, name: str) -> nn.Module:
    """The instance, if its weights have their shapes. Raises Stop."""
    from torch import nn

    if not isinstance(model, nn.Module):
        raise Stop(2, f"{script}: {name} is not a torch module")
    for key, parameter in model.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise Stop(
                2,
                f"{script}: {key} of {name} has no shape before the model has seen data; "
                "give its layer the size (nn.LazyLinear(n) -> nn.Linear(inputs, n))",
            )
    return model


def encoded(state: dict[str, Any], suffix: str) -> bytes:
    if suffix == ".safetensors":
        from safetensors.torch import save

        return bytes(save(state))
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def check(data: bytes, suffix: str, fresh: nn.Module, state: dict[str, Any]) -> None:
    """Loads what will be written into a new instance, strictly, and compares it."""
    import torch

    if suffix == ".safetensors":
        from safetensors.torch import load

        read = load(data)
    else:
        read = torch.load(io.BytesIO(data), weights_only=True)
    fresh.load_state_dict(read, strict=True)
    for key, value in fresh.state_dict().items():
        if not torch.equal(value, state[key]):
            raise Stop(2, f"{key} is not the same after loading; please report")


def placed(saved: Saved, model: nn.Module) -> str:
    written = sum(len(entry.arrays) for entry in saved.entries)
    numbers = sum(int(a.size) for entry in saved.entries for a in entry.arrays.values())
    parameters = sum(1 for _ in model.parameters())
    return (
        f"{written} arrays ({numbers:,} numbers) of {len(saved.entries)} layers in "
        f"{parameters} parameters and {len(model.state_dict()) - parameters} buffers"
    )


if __name__ == "__main__":
    main()
