"""Where a model computes, and in which numbers: by what the machine says that it can, never by trying its luck."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from label_configs.errors import Mendable
from store.settings import Device, EncoderBase, Precision

_TENSOR_CORES = (7, 0)
"""CUDA's compute capability from which on half precision is faster."""


class Abilities(NamedTuple):
    """cuda: compute capability of the first GPU, if there is one. cpu, gpu: number formats computed in hardware."""

    cuda: tuple[int, int] | None
    cpu: frozenset[str]
    gpu: frozenset[str]


class Machine(NamedTuple):
    """A device and a precision."""

    device: str
    precision: str

    def computing(self) -> AbstractContextManager[Any]:
        """The context in which the model is called."""
        import torch

        half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self.precision)
        return torch.autocast(self.device, half) if half else nullcontext()

    def __str__(self) -> str:
        import torch

        threads = f", {torch.get_num_threads()} threads" if self.device == "cpu" else ""
        return f"{self.device}, {self.precision}{threads}"


def choose(settings: EncoderBase) -> Machine:
    """The machine for an encoder, with its threads set."""
    import torch

    if settings.threads:
        torch.set_num_threads(settings.threads)
    return decide(settings.device, settings.precision, abilities())


def decide(device: Device, precision: Precision, able: Abilities) -> Machine:
    """auto: a GPU where there is one, in fp16 where it has tensor cores; else fp32.

    Half precision on a CPU is only taken when asked for: where the hardware has it, some models gain (ResNet-50 2.5
    times) and others lose (ViT-B-32 1.8 times); where it has not, it is hundreds of times slower, and refused.
    """
    if device == "cuda" and able.cuda is None:
        raise Mendable("There is no CUDA device.", mend='Set device = "auto" for the encoder in settings.toml.')
    on = "cuda" if able.cuda and device != "cpu" else "cpu"
    if precision == "auto":
        return Machine(on, "fp16" if on == "cuda" and able.cuda and able.cuda >= _TENSOR_CORES else "fp32")
    if precision != "fp32" and precision not in (able.gpu if on == "cuda" else able.cpu):
        raise Mendable(
            f"The {on} of this machine does not compute {precision} in hardware.",
            why="It would emulate it, hundreds of times slower.",
            mend='Set precision = "auto" for the encoder in settings.toml.',
        )
    return Machine(on, precision)


def abilities() -> Abilities:
    """What this machine says of itself, through torch."""
    import torch

    flags: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # since torch 2.9
    known = {name for name, there in flags.items() if there is True}
    cpu = frozenset(half for half in ("fp16", "bf16") if any(name.endswith(f"_{half}") for name in known))
    if not torch.cuda.is_available():
        return Abilities(None, cpu, frozenset())
    gpu = {"fp16"} | ({"bf16"} if torch.cuda.is_bf16_supported(including_emulation=False) else set())
    return Abilities(torch.cuda.get_device_capability(), cpu, frozenset(gpu))
