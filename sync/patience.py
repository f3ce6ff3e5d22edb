"""Asking Label Studio again: a server that restarts, is too busy or loses a connection costs a wait, not a pull."""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import tenacity

from sync.label_studio import explained

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds for which a read is tried again; a restart of Label Studio takes less."""
LONGEST = 10.0
"""Seconds between two tries at most, unless the server asks for more."""
ASKED = 60.0
"""Seconds between two tries that a server may ask for, by `Retry-After`; where it asks for more, for so long."""
ALONE: Any = {"max_retries": 0}
"""For the SDK's requests: the waiting is done here."""
_PASSING = {408, 409, 425, 429}


def patiently(doing: str, ask: Callable[[], T]) -> T:
    """What `ask` reads, tried again while what fails may pass. Raises Mendable for what does not.

    doing: for the message. Only for what may be done twice.
    """
    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_passes),
        wait=_pause,
        stop=tenacity.stop_after_delay(PATIENCE),
        reraise=True,
    )
    with explained(doing):
        return again(ask)


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds until the next try: ever more, by chance; never less than the server asks for."""
    error = state.outcome and state.outcome.exception()
    own = tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST)(state)
    return max(own, asked(getattr(error, "headers", None) or {}, time.time()))


def asked(headers: Mapping[str, str], now: float) -> float:
    """The seconds for which an answer asks to be left alone: a number, or an HTTP date; 0 for what is neither."""
    said = headers.get("retry-after", "").strip()
    try:
        seconds = float(said) if said.isascii() and said.isdigit() else parsedate_to_datetime(said).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), ASKED)


def _passes(error: BaseException) -> bool:
    """Whether it may be otherwise in a moment."""
    import httpx
    from label_studio_sdk.core.api_error import ApiError

    if isinstance(error, ApiError):
        return (error.status_code or 0) >= 500 or error.status_code in _PASSING
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)
