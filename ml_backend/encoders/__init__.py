"""Encoders: what turns text, images, audio and video into vectors. One file each."""
