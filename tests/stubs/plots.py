"""Lets scripts that draw run without matplotlib: every call gives a drawing that is none."""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType


class Nothing(ModuleType):
    """Any attribute, call, index or iteration of it is it again; two of it when unpacked."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args, **kwargs):
        return self

    def __getitem__(self, key):
        return self

    def __iter__(self):
        return iter((self, self))

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return None


class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("matplotlib", "seaborn"):
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return Nothing(spec.name)

    def exec_module(self, module):
        pass


def install():
    if importlib.util.find_spec("matplotlib") is None:
        sys.meta_path.append(Finder())


def install_keras(keras):
    install()


def install_torch():
    install()
