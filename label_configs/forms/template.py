"""The XML templates that lie beside the forms, filled from the rules."""

from functools import cache
from typing import TYPE_CHECKING

from label_configs.forms import keys
from label_configs.records import Modality, Shown
from label_configs.rules import CANT_JUDGE, CANT_JUDGE_NAME, Rules

if TYPE_CHECKING:
    from jinja2 import Template

_ROOM = {"text": "460px", "image": "570px", "audio": "600px", "video": "690px"}  # height that cards cannot have
_CONSTANTS = {"ROOM": _ROOM, "IDX": "{{idx}}", "CANT_JUDGE": CANT_JUDGE, "CANT_JUDGE_NAME": CANT_JUDGE_NAME}


@cache
def _template(name: str) -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("label_configs", "forms")
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters["plain"] = plain
    return templates.get_template(name)


def plain(text: str) -> str:
    """Text for a tag's `value`, where Label Studio would read $ with a letter after it as a field of the task."""
    return text.replace("$", "$\N{WORD JOINER}")


def render(name: str, rules: Rules, query: Modality, candidates: Shown, **values: object) -> str:
    """The template of a form with its values, XML-escaped; `base.xml` is what all of them share."""
    given = {
        **_CONSTANTS,
        "rules": rules,
        "query": query,
        "candidates": candidates,
        "dissonance": rules.dissonance if candidates == "mixed" or (query == "text") != (candidates == "text") else (),
        "flags": list(zip(rules.flags, keys.mnemonics(rules.flags), strict=True)),
        **values,
    }
    return _template(name).render(given)
