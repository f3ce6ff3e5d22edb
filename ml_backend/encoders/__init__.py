"""Encoders: what turns text, images, audio and video into vectors. One file each, one line in the dict."""

from collections.abc import Mapping

from ml_backend.encoders.base import Maker
from ml_backend.encoders.clap import ClapEncoder
from ml_backend.encoders.frames import FrameEncoder
from ml_backend.encoders.log_mel import LogMelEncoder
from ml_backend.encoders.open_clip import OpenClip

ENCODERS: Mapping[str, Maker] = {
    "open_clip": OpenClip,
    "frames": FrameEncoder,
    "clap": ClapEncoder,
    "log-mel": LogMelEncoder,
}
"""By the `kind` of their settings. Making one loads its weights, which takes seconds."""
