"""What sound or film some bytes are, told by how they begin, for media that no name tells of."""

_BEGINNINGS: tuple[tuple[int, bytes, str], ...] = (
    (8, b"WAVE", ".wav"),
    (8, b"AVI ", ".avi"),
    (0, b"fLaC", ".flac"),
    (0, b"OggS", ".ogg"),
    (0, b"ID3", ".mp3"),
    (4, b"ftypM4A", ".m4a"),
    (4, b"ftypqt", ".mov"),
    (4, b"ftyp", ".mp4"),
    (0, b"\x1aE\xdf\xa3", ".webm"),
)
"""Where it stands, what stands there, and the suffix by which servers and browsers know it. The first that fits."""


def suffix(content: bytes) -> str:
    """The suffix of a file of that content; none for what is no sound or film that browsers play."""
    found = (suffix for place, mark, suffix in _BEGINNINGS if content.startswith(mark, place))
    return next(found, ".mp3" if _is_mpeg(content) else "")


def _is_mpeg(content: bytes) -> bool:
    """Whether it begins with a frame of MPEG audio, layer III: eleven bits set, then version and layer."""
    return len(content) > 1 and content[0] == 0xFF and content[1] & 0xE6 == 0xE2
