"""Where models come from: a folder of the workspace's, or the hub, which is looked for once, not again and again."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from label_configs.errors import Mendable

LOCAL = "local-dir:"
_PATIENCE = 5.0  # seconds


def locate(model: str, root: Path) -> str:
    """The model's name as open_clip takes it; a `local-dir:` path counts from the workspace."""
    if not model.startswith(LOCAL):
        return model
    folder = (root / model.removeprefix(LOCAL)).resolve()
    if not folder.is_dir():
        raise Mendable(f"There is no model folder {folder}.", mend="Correct `model` under [encoders] in settings.toml.")
    return f"{LOCAL}{folder}"


def not_loaded(model: str, error: Exception, mend: str) -> Mendable:
    """What is said of a model that cannot be loaded: whether the hub is out of reach, or the files are to blame."""
    if lacks(error):
        return Mendable(
            f"The model {model!r} is not on this machine, and the model hub cannot be reached.",
            mend="Connect to it for the first time of use, or copy a model here and name it local-dir:PATH.",
        )
    return Mendable(f"The model {model!r} cannot be loaded: {error}", mend=mend)


@contextmanager
def looked_for() -> Iterator[None]:
    """Where the hub is out of reach, what was downloaded before is all that there is for the time of the block.

    What libraries would log of it meanwhile is not: they raise it as well.
    """
    from huggingface_hub import constants

    offline, silent = constants.HF_HUB_OFFLINE, logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        constants.HF_HUB_OFFLINE = not _answers(constants.ENDPOINT)
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        logging.disable(silent)


def lacks(error: BaseException | None) -> bool:
    """Whether an error comes of a file that is not here, and of a hub that is out of reach."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while error is not None and not isinstance(error, LocalEntryNotFoundError):
        error = error.__cause__ or error.__context__
    return error is not None


def _answers(endpoint: str) -> bool:
    from huggingface_hub import get_session

    try:
        get_session().head(endpoint, timeout=_PATIENCE)
    except Exception:  # of whichever HTTP library the hub's client is built on
        return False
    return True
