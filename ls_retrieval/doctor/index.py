"""The index of each encoder, and whether it is of the model that the settings name."""

from collections.abc import Iterator

from label_configs.errors import Mendable
from ls_retrieval.doctor.finding import Finding, fail, ok, warn
from store.workspace import Workspace


def check(workspace: Workspace) -> Iterator[Finding]:
    """Whether everything that an encoder reads is indexed; one that finds nothing to read needs no index."""
    from ml_backend import index
    from ml_backend.encoders import ENCODERS
    from ml_backend.encoders.base import listed

    there = workspace.read_items().records
    built = index.current(workspace.index)
    for name, choice in workspace.settings.encoders.items():
        reads = ENCODERS[choice.kind].modalities
        readable = [item.doc_id for item in there if item.modality in reads]
        if not readable:
            yield ok(f"encoder {name}: it reads {listed(reads, 'and')}, of which the corpus has none")
        elif name not in built:
            yield fail(f"encoder {name}: no index", _mend(workspace))
        else:
            opened = index.load(workspace.index, name)
            about = index.about(workspace.index, name)
            yield ok(f"encoder {name}: index {opened.version}, {len(opened.rows)} items; {about}")
            if new := len(readable) - len(opened.rows.known(readable)):
                mend = f"{_mend(workspace)} (it names those that cannot be read)"
                yield warn(f"encoder {name}: {new} items are not in the index", mend)


def models(workspace: Workspace) -> Iterator[Finding]:
    """Load every encoder: whether its vectors are those of the index."""
    from ml_backend import index, library

    built = index.current(workspace.index)
    for name in library.encoder_settings(workspace):
        try:
            found = library.load_encoder(workspace, name).fingerprint
        except Mendable as error:
            yield fail(f"encoder {name} does not load: {error.what}", error.mend, error.problems)
            continue
        if name in built and built[name]["fingerprint"] != found:
            what = f"encoder {name} is the model {found}, its index is of {built[name]['fingerprint']}"
            yield fail(what, _mend(workspace))
        else:
            yield ok(f"encoder {name} loads: model {found}")


def _mend(workspace: Workspace) -> str:
    return f"ls-retrieval index --workspace {workspace.root}"
