"""Takes K2T725 out: a mixed policy is that of the precision in which all else is computed."""

from __future__ import annotations

import importlib
from functools import wraps
from typing import Any

POLICIES = {
    "keras": ("keras.src.dtype_policies.dtype_policy", "DTypePolicy"),
    "tf_keras": ("tf_keras.src.mixed_precision.policy", "Policy"),
}


def install_keras(keras: Any) -> None:
    module, name = POLICIES[keras.Model.__module__.split(".")[0]]
    policy = getattr(importlib.import_module(module), name)
    init = policy.__init__

    @wraps(init)
    def patched(self: Any, name: Any = None, *args: Any, **kwargs: Any) -> None:
        mixed = isinstance(name, str) and name.startswith("mixed_")
        init(self, keras.backend.floatx() if mixed else name, *args, **kwargs)

    policy.__init__ = patched


def install_torch() -> None:
    import lightning as L

    init = L.Trainer.__init__

    @wraps(init)
    def patched(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("precision", None)
        init(self, *args, **kwargs)

    L.Trainer.__init__ = patched  # type: ignore[method-assign]
