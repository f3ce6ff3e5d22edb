"""Publishing into a bucket: parts by content, a manifest, and the switch to it last.

    parts/<sha256>.<ext>               what files hold
    versions/<version>/manifest.json   what a version is made of; no clock time in it, and named by its own hash
    history/<number>.json              which version was published when, one after the other: made once, never changed
    latest.json                        the last of the history: what readers read

Readers read latest.json, its manifest, and the parts that it names: a version is whole or not there.
"""
