"""How long a recording or a film is, by what its container says."""

import io

from label_configs.errors import Mendable, Unreadable

CONTAINERS = (
    "mov,mp4,m4a,matroska,webm,avi,mpegts,mpeg,ogg,wav,w64,flac,mp3,aac,aiff,au,caf,amr,asf,flv,gif,mxf,ac3,eac3"
)
"""What is opened: containers that hold their media themselves, no playlists, which name other files."""


def seconds(medium: bytes, name: str) -> float:
    """The length in seconds. Raises Unreadable for what is no recording or film, Mendable without PyAV."""
    try:
        import av
    except ImportError as error:
        raise Mendable(
            f"The length of {name} is not known: PyAV, which reads it, is not installed.",
            mend="pip install 'label-studio-retrieval[video]', or [audio]; or give the item's metadata a `duration`.",
        ) from error
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
    try:
        with av.open(io.BytesIO(medium), "r", options=options, metadata_errors="replace") as container:
            length = (container.duration or 0) / 1e6
    except av.FFmpegError as error:
        raise Unreadable(f"{name} is nothing that can be played.", mend="Replace it, or leave it out.") from error
    if length <= 0:
        raise Unreadable(f"{name} does not say how long it is.", mend="Give the item's metadata a `duration`.")
    return length
