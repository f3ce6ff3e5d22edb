"""The closed words that commands take as options, apart from the records, which load longer than a help text."""

from typing import Literal

Modality = Literal["text", "image", "audio", "video"]
Shown = Literal[Modality, "mixed"]
"""What the candidates of a project are; `mixed`: of several modalities."""
Mode = Literal["blind", "assist"]
