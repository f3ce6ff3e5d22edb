"""The documentation's commands, run as they stand there, on a real Label Studio."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiny
import typer.main
from label_studio_sdk import LabelStudio

from ls_retrieval.cli import app
from ls_retrieval.studio import Account, Studio
from store import settings
from store.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [README, *(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))]
RUN = re.findall(r"<!-- run by the tests -->\n```(\w+)\n(.*?)```", README, re.DOTALL)


def _run(shell: str, folder: Path, environment: dict[str, str]) -> str:
    """A block of a page, every command of which has to succeed."""
    given = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment}
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", shell],
        cwd=folder,
        env=given,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_readmes_way_from_a_corpus_to_a_trainer_works_as_written(
    studio: Studio, sdk: Callable[[Account], LabelStudio], document_root: Path, tiny_workspace: Workspace
) -> None:
    assert [language for language, _ in RUN] == ["bash", "bash", "python"]
    shutil.copytree(tiny_workspace.root, document_root / "photos")
    settings = document_root / "photos" / "settings.toml"
    settings.write_text(settings.read_text("utf-8") + '\n[media]\ndocument_root = ".."\n', "utf-8")
    environment = {
        "LABEL_STUDIO_URL": studio.url,
        "LABEL_STUDIO_API_KEY_FILE": str(studio.folder / "token"),
        "HF_HOME": str(document_root / "hub"),
        "HF_HUB_OFFLINE": "1",
    }
    said = _run(RUN[0][1], document_root, environment)
    assert "tasks made" in said
    assert "FAIL" not in said

    client = sdk(studio.admin)
    project = Workspace(document_root / "photos").project("main").id
    listed: list[Any] = list(client.tasks.list(project=project))
    for task in listed:
        known = len(task.data["candidates"])
        client.annotations.create(id=task.id, result=tiny.graded_answer({n: 3 * (n < 2) for n in range(known)}))

    said = _run(RUN[1][1], document_root, environment)
    assert "bytes written" in said
    assert "are as they were written" in said
    assert "anchor" in _run(f"python - <<'END'\n{RUN[2][1]}END\n", document_root, environment)


def test_every_example_in_python_prints_what_it_says(tmp_path: Path) -> None:
    found = [one for page in PAGES[1:] for one in re.findall(r"```python\n(.*?)```", page, re.DOTALL)]
    examples = [one for one in found if "# prints " in one]
    assert len(examples) == 1
    for example in examples:
        promised = re.findall(r"^# prints ([^:\n]*)", example, re.MULTILINE)
        given = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        said = _run(f"python -W error - <<'END'\n{example}END\n", tmp_path, given)
        assert said.splitlines() == promised
        assert promised


def test_every_command_and_option_that_a_page_names_exists() -> None:
    group = typer.main.get_command(app)
    named = {line.partition("#")[0] for page in PAGES for line in re.findall(r"ls-retrieval [a-z][^`\n|&]*", page)}
    assert len(named) > 10
    for line in named:
        name, *words = line.split()[1:]
        command = group.commands[name]  # type: ignore[attr-defined]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_the_example_rows_of_the_readme_are_read(tmp_path: Path) -> None:
    from store import corpus

    (example,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    item, query = example.splitlines()
    (tmp_path / "corpus.jsonl").write_text(item, "utf-8")
    (tmp_path / "queries.jsonl").write_text(query, "utf-8")
    (found,) = corpus.items(tmp_path / "corpus.jsonl").records
    (asked,) = corpus.queries(tmp_path / "queries.jsonl").records
    assert asked.positives == (found.doc_id,)
    assert found.modality == "image"


def test_every_example_of_settings_is_read(tmp_path: Path) -> None:

    examples = [example for page in PAGES for example in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
    assert len(examples) > 1
    for example in examples:
        (tmp_path / "settings.toml").write_text(example, "utf-8")
        settings.load(tmp_path / "settings.toml")
