"""The XML templates that lie beside the forms, filled from the rules."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

QUERY_TAGS = {"text": "Text", "image": "Image", "audio": "Audio", "video": "Video"}


@cache
def _template(name: str) -> Template:
    loader = PackageLoader("label_configs", "forms")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template(name)


def render(name: str, **values: object) -> str:
    """A template with its values, XML-escaped. QUERY_TAGS: modality to the query's tag; IDX: the Repeater's index."""
    return _template(name).render(QUERY_TAGS=QUERY_TAGS, IDX="{{idx}}", **values)
