"""What a Docker engine would be given: the compose file, the image's recipe, and the variables between them."""

import ipaddress
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import stack
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ls_retrieval.studio import REFUSED_NETWORKS

REPOSITORY = stack.REPOSITORY
COMPOSE = (REPOSITORY / "docker-compose.yml").read_text("utf-8")
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text("utf-8")
CONSTRAINTS = (REPOSITORY / "constraints.txt").read_text("utf-8")
PAGE = (REPOSITORY / "docs" / "deploy.md").read_text("utf-8")
IDS = {"LSR_UID": "1000", "LSR_GID": "1000"}
ENDS = {"ownership", "tool"}
"""What does its work and ends."""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return stack.services(stack.checkout(tmp_path_factory.mktemp("checkout")), IDS)


def lasting(services: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, one) for name, one in services.items() if name not in ENDS)


# the compose file


def test_docker_compose_takes_the_file_and_would_refuse_a_wrong_one(tmp_path: Path) -> None:
    assert stack.config(stack.checkout(tmp_path), environment=IDS).returncode == 0
    for right, wrong in (("read_only: true", "read_onyl: true"), ("networks: [storage]", "networks: [stroage]")):
        (tmp_path / "docker-compose.yml").write_text(COMPOSE.replace(right, wrong, 1))
        assert stack.config(tmp_path, environment=IDS).returncode != 0


def test_without_an_env_file_it_says_where_to_read(tmp_path: Path) -> None:
    assert "is in .env, see docs/deploy.md" in stack.config(stack.checkout(tmp_path)).stderr


def test_every_variable_is_explained_in_the_example_and_every_example_is_used() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE))
    blocks = re.findall(
        r"((?:^#.*\n)+)((?:^\w+=.*\n)+)", (REPOSITORY / ".env.example").read_text("utf-8"), re.MULTILINE
    )
    explained = {line.partition("=")[0] for _, lines in blocks for line in lines.splitlines()}
    assert explained == used
    assert len(used) > 10


def test_the_defaults_are_those_of_the_example(services: dict[str, Any], tmp_path: Path) -> None:
    shutil.copy(stack.checkout(tmp_path) / ".env.example", tmp_path / ".env")
    here, there = str(tmp_path), services["backend"]["build"]["context"]
    assert json.loads(json.dumps(stack.services(tmp_path)).replace(here, there)) == services


def test_every_image_is_pinned_and_label_studio_is_the_release_that_is_tested(services: dict[str, Any]) -> None:
    images = {name: one["image"] for name, one in services.items()}
    assert [image for image in images.values() if not re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?", image)] == []
    made = f"label-studio-retrieval:{tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']['version']}"
    assert {images[name] for name in ("backend", "sync", "tool")} == {made}
    assert images["label-studio"].partition(":")[2] in (REPOSITORY / "Makefile").read_text()


def test_nothing_is_published_beyond_loopback(services: dict[str, Any]) -> None:
    ports = {(name, port["host_ip"]) for name, one in services.items() for port in one.get("ports", [])}
    assert ports == {(name, "127.0.0.1") for name in ("label-studio", "backend", "bucket")}


def test_every_container_is_confined(services: dict[str, Any]) -> None:
    for name, one in services.items():
        assert one["read_only"], name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert "/tmp" in one["tmpfs"], name  # noqa: S108
        if name != "ownership":
            assert one["user"] == "1000:1000", name
            assert "cap_add" not in one, name
    assert services["ownership"]["cap_add"] == ["CHOWN"]
    assert services["ownership"]["network_mode"] == "none"


def test_what_lasts_is_watched_started_again_and_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    for name, one in lasting(services):
        assert one["healthcheck"]["test"][0] == "CMD", name
        assert one["restart"] == "unless-stopped", name
        assert one["depends_on"], name
        for other, how in one["depends_on"].items():
            awaited = "service_completed_successfully" if other in ENDS else "service_healthy"
            assert how["condition"] == awaited, (name, other)


def test_secrets_come_from_files_alone(services: dict[str, Any]) -> None:
    for name, one in services.items():
        files = {value for key, value in one.get("environment", {}).items() if key.endswith("_FILE")}
        assert files == {f"/run/secrets/{secret['source']}" for secret in one.get("secrets", [])}, name
        told = [
            key
            for key in one.get("environment", {})
            if re.search(r"(PASSWORD|PASS|TOKEN|SECRET|API_KEY|ACCESS_KEY)$", key)
        ]
        assert told in ([], ["LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN"]), name


def test_volumes_keep_the_owner_that_they_were_given(services: dict[str, Any]) -> None:
    used = {mount["source"] for _, one in lasting(services) for mount in one["volumes"] if mount["type"] == "volume"}
    given = {mount["source"]: mount["target"] for mount in services["ownership"]["volumes"]}
    assert set(given) == used
    assert services["ownership"]["command"] == ["1000:1000", *given.values()]
    mounts = [mount for one in services.values() for mount in one["volumes"]]
    assert all(mount["volume"]["nocopy"] for mount in mounts if mount["type"] == "volume")
    assert all(not mount["bind"].get("create_host_path") for mount in mounts if mount["type"] == "bind")


def test_who_needs_not_meet_cannot(services: dict[str, Any]) -> None:
    members = {
        network: {name for name, one in services.items() if network in (one.get("networks") or {})}
        for network in ("studio", "database", "storage")
    }
    assert members["database"] == {"database", "label-studio"}
    assert members["storage"] == {"bucket", "sync", "tool"}
    assert members["studio"] == {"label-studio", "backend", "sync", "tool"}


def test_label_studio_may_call_one_private_address_the_backends(services: dict[str, Any]) -> None:
    environment = services["label-studio"]["environment"]
    assert environment["LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS"] == "false"
    listed = networks(environment["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"])
    backend = ipaddress.ip_network(services["backend"]["networks"]["studio"]["ipv4_address"])
    assert not any(backend.overlaps(network) for network in listed)
    assert covered([*listed, backend]) == covered(networks(f"127.0.0.0/8,{REFUSED_NETWORKS}"))
    pool = yaml.safe_load(COMPOSE)["networks"]["studio"]["ipam"]["config"][0]
    assert backend.subnet_of(ipaddress.ip_network(pool["subnet"]))  # type: ignore[arg-type]
    assert not backend.overlaps(ipaddress.ip_network(pool["ip_range"]))  # where others get theirs from


def test_the_page_makes_such_a_list(services: dict[str, Any]) -> None:
    (program,) = re.findall(r"python3 -c '(.*?)' \\", PAGE, re.DOTALL)
    backend = services["backend"]["networks"]["studio"]["ipv4_address"]
    defaults = f"127.0.0.0/8,{REFUSED_NETWORKS}".split(",")
    command = [sys.executable, "-c", "\n".join(line.strip() for line in program.splitlines()), backend, *defaults]
    said = subprocess.run(command, text=True, capture_output=True, check=True).stdout.strip()
    listed = services["label-studio"]["environment"]["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"]
    assert set(said.split(",")) == set(listed.split(","))


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(listed: str) -> list[Network]:
    return [ipaddress.ip_network(one) for one in listed.split(",")]


def covered(some: list[Network]) -> list[Network]:
    """The fewest networks that hold the same addresses."""
    four = [network for network in some if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in some if isinstance(network, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def test_the_pages_override_for_a_gpu_is_taken(tmp_path: Path) -> None:
    (override,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (stack.checkout(tmp_path) / "docker-compose.override.yml").write_text(override)
    given = stack.services(tmp_path, {**IDS, "TORCH": "cu130"})
    for name in ("backend", "tool"):
        assert given[name]["deploy"]["resources"]["reservations"]["devices"][0]["driver"] == "nvidia"
        assert given[name]["build"]["args"] == {"TORCH": "cu130"}


# the image


def test_the_recipe_has_no_lint() -> None:
    lint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([lint, REPOSITORY / "Dockerfile"], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_nobody_in_particular_and_is_watched() -> None:
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert "\nHEALTHCHECK " in last
    assert re.search(r"^ARG TORCH=cpu$", DOCKERFILE, re.MULTILINE)


def test_only_what_is_installed_reaches_the_builder() -> None:
    first, *kept = [
        line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    assert first == "*"
    there = {line.removeprefix("!") for line in kept if line.startswith("!")}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert there == {
        "pyproject.toml",
        "constraints.txt",
        "requirements.lock",
        project["project"]["readme"],
        "LICENSE",
        *packages,
    }
    assert all((REPOSITORY / name).exists() for name in there)


def pinned() -> dict[str, str]:
    lines = CONSTRAINTS.splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_everything_that_the_image_installs_is_pinned_by_its_hash() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text("utf-8")
    entries = re.findall(
        r"^([\w.-]+)==(\S+?)(?: ; [^\\]+)? \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", lock, re.MULTILINE
    )
    own = {"torch", "torchvision"}  # built anew for each kind of machine, in an index of their own
    assert {name: version for name, version, _ in entries} == {n: v for n, v in pinned().items() if n not in own}
    steps = " ".join(DOCKERFILE.replace("\\\n", "").split())
    assert "uv pip install --require-hashes --no-deps --requirements requirements.lock" in steps
    assert '--torch-backend "$TORCH" --constraints constraints.txt torch torchvision' in steps
    assert (
        re.findall(r"pip install (?!--require-hashes|--torch-backend|--no-cache-dir \"uv==|--no-deps \.)", steps) == []
    )


def test_everything_that_the_image_asks_for_has_a_version_that_fits() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"--extra (\w+)", CONSTRAINTS)
    assert extras == ["backend", "audio", "video"]
    asked = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pinned()[canonicalize_name(requirement.name)]), requirement
