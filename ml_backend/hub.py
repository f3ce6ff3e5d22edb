"""The model hub that open_clip downloads from: looked for once, instead of again and again."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 5.0  # seconds


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
