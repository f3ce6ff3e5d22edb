"""The front door: the `ls-retrieval` command, which composes the rooms. Nothing imports it."""
