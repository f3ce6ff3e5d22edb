"""open_clip models of random weights: the time that a tower takes does not depend on what it has learned."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_TEXT = {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
TINY: Mapping[str, Any] = {"image_size": 64, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
VIT_B_32: Mapping[str, Any] = {"image_size": 224, "layers": 12, "width": 768, "head_width": 64, "patch_size": 32}
PREPROCESS: Mapping[str, Any] = {"mean": [0.481, 0.458, 0.408], "std": [0.269, 0.261, 0.276]}


def clip(folder: Path, vision: Mapping[str, Any], seed: int = 0) -> Path:
    """Write a model with this image tower and a small text tower, as `local-dir:` reads it."""
    import torch
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    model = {"embed_dim": 512, "vision_cfg": dict(vision), "text_cfg": _TEXT}
    preprocess = {**PREPROCESS, "size": [vision["image_size"]] * 2}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": preprocess}))
    torch.manual_seed(seed)
    weights = CLIP(**model).state_dict()
    save_file({name: t.contiguous() for name, t in weights.items()}, folder / "open_clip_model.safetensors")
    return folder
