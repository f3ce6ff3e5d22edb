"""What no line of the code may do, by its syntax; and that the lints that look for the rest are switched on."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("label_configs", "store", "ml_backend", "sync", "ls_retrieval", "bench", "docs")
FILES = sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))


@cache
def trees() -> Mapping[str, ast.AST]:
    return {path.relative_to(REPOSITORY).as_posix(): ast.parse(path.read_text("utf-8")) for path in FILES}


UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
RUNNING = {"eval", "exec", "compile", "__import__"}
SHELLS = {"os.system", "os.popen", "os.spawnl", "subprocess.getoutput", "subprocess.getstatusoutput"}


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def given(node: ast.Call, name: str) -> str:
    """An argument by name, as it is written; empty where it is not given."""
    return next((ast.unparse(one.value) for one in node.keywords if one.arg == name), "")


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def unpickles(tree: ast.AST) -> bool:
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    allowed = (given(node, "allow_pickle") not in {"", "False"} for node in calls(tree))
    torch = (called(node) == "torch.load" and given(node, "weights_only") != "True" for node in calls(tree))
    pandas = (called(node).endswith("read_pickle") for node in calls(tree))
    return bool(imported & UNPICKLING) or any(allowed) or any(torch) or any(pandas)


def loads_yaml_with_objects(tree: ast.AST) -> bool:
    loads = (node for node in calls(tree) if called(node) in {"yaml.load", "yaml.load_all"})
    unsafe = (called(node).startswith("yaml.") and "unsafe" in called(node) for node in calls(tree))
    return any("Safe" not in ast.unparse(node) for node in loads) or any(unsafe)


def runs_text(tree: ast.AST) -> bool:
    return any(called(node) in RUNNING for node in calls(tree))


def starts_a_shell(tree: ast.AST) -> bool:
    return any(called(node) in SHELLS or given(node, "shell") not in {"", "False"} for node in calls(tree))


def unpacks_archives(tree: ast.AST) -> bool:
    """Names in archives are never made paths: members are read where they lie."""
    return any(called(node).endswith((".extractall", ".extract", ".unpack_archive")) for node in calls(tree))


def trusts_any_certificate(tree: ast.AST) -> bool:
    return any(given(node, "verify") == "False" for node in calls(tree))


FORBIDDEN: Mapping[Callable[[ast.AST], bool], tuple[str, ...]] = {
    unpickles: (
        "import pickle",
        "from joblib import load",
        "np.load(p, allow_pickle=True)",
        "np.load(p, allow_pickle=trusted)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "pd.read_pickle(p)",
    ),
    loads_yaml_with_objects: ("yaml.load(t)", "yaml.load(t, Loader=yaml.FullLoader)", "yaml.unsafe_load(t)"),
    runs_text: ("eval(t)", "exec(t)", "__import__(t)"),
    starts_a_shell: ("os.system(t)", "subprocess.run(t, shell=True)", "subprocess.getoutput(t)"),
    unpacks_archives: ("tar.extractall(p)", "archive.extract(name)", "shutil.unpack_archive(p)"),
    trusts_any_certificate: ("requests.get(u, verify=False)",),
}
SOUND = "np.load(p, allow_pickle=False)\ntorch.load(p, weights_only=True)\nyaml.load(t, yaml.CSafeLoader)\nmodel.eval()"


@pytest.mark.parametrize("rule", FORBIDDEN, ids=lambda rule: rule.__name__)
def test_no_file_breaks_the_rule(rule: Callable[[ast.AST], bool]) -> None:
    assert len(trees()) > 200
    assert [name for name, tree in trees().items() if rule(tree)] == []


@pytest.mark.parametrize("rule", FORBIDDEN, ids=lambda rule: rule.__name__)
def test_the_rule_sees_what_it_is_for_and_nothing_else(rule: Callable[[ast.AST], bool]) -> None:
    assert [text for text in FORBIDDEN[rule] if not rule(ast.parse(text))] == []
    assert not rule(ast.parse(SOUND))


@pytest.mark.parametrize("name", ["ml_backend/guard.py", "ml_backend/ui/guard.py"])
def test_what_must_be_known_is_compared_in_constant_time_alone(name: str) -> None:
    """No `==`, `in` or `!=` has a password, a secret or a token on one of its sides."""
    tree = ast.parse((REPOSITORY / name).read_text("utf-8"))
    secret = re.compile(r"password|secret\b|\.user\b|held|given\b(?!\.type)")
    compared = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and not any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops)
    ]
    assert [one for one in compared if secret.search(one)] == []
    assert any(called(node) == "hmac.compare_digest" for node in calls(tree))


def test_the_security_lints_are_on_and_every_exception_says_why() -> None:
    lint = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]  # all of bandit's checks
    assert [rule for rule in lint["ignore"] if rule.startswith("S")] == ["S603"]
    bare = re.compile(r"# noqa: S\d+\s*$", re.MULTILINE)
    rooms = [path for path in FILES if path.relative_to(REPOSITORY).parts[0] not in {"bench", "docs"}]
    assert [path.name for path in rooms if bare.search(path.read_text("utf-8"))] == []


def test_the_page_brings_no_script_or_style_but_in_files_of_its_own() -> None:
    html = (REPOSITORY / "ml_backend" / "ui" / "templates" / "ui.html").read_text("utf-8")
    script = (REPOSITORY / "ml_backend" / "ui" / "static" / "ui.js").read_text("utf-8")
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r"\binnerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script)
