"""Loaders of packages that are bound to other versions of torch or transformers than this project's: their own code,
without what the packages import beside it.
"""

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any


def part(name: str) -> Any:
    """A module of a package, as `package.folder.module`, without running the `__init__` of package and folders."""
    package, *folders, module = name.split(".")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is not installed; `make test` installs it.")
    folder = str(Path(spec.submodule_search_locations[0], *folders))
    alias = "_".join(["part", package, *folders])
    if alias not in sys.modules:
        sys.modules[alias] = ModuleType(alias)
        sys.modules[alias].__path__ = [folder]
    return importlib.import_module(f"{alias}.{module}")
