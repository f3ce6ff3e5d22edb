"""Asking Label Studio again: a server that restarts, is too busy or loses a connection costs a wait, not a pull."""

from collections.abc import Callable
from typing import Any, TypeVar

import tenacity

from sync.label_studio import explained

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds for which a read is tried again; a restart of Label Studio takes less."""
LONGEST = 10.0
"""Seconds between two tries at most."""
ALONE: Any = {"max_retries": 0}
"""For the SDK's requests: the waiting is done here."""
_PASSING = {408, 409, 425, 429}


def patiently(doing: str, ask: Callable[[], T]) -> T:
    """What `ask` reads, tried again while what fails may pass. Raises Mendable for what does not.

    doing: for the message. Only for what may be done twice.
    """
    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_passes),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST),
        stop=tenacity.stop_after_delay(PATIENCE),
        reraise=True,
    )
    with explained(doing):
        return again(ask)


def _passes(error: BaseException) -> bool:
    """Whether it may be otherwise in a moment."""
    import httpx
    from label_studio_sdk.core.api_error import ApiError

    if isinstance(error, ApiError):
        return (error.status_code or 0) >= 500 or error.status_code in _PASSING
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)
