"""The bodies of two pages, made from the code when the site is built: the Python interface, and all commands."""

import importlib
import inspect
import pydoc
import re
from collections.abc import Iterator
from types import ModuleType

import typer
from docutils.nodes import Node
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import mpc_tamper
import mpc_tamper.sklearn
import mpc_tamper.testing
from mpc_tamper.cli.main import app as commands

OF_NO_PANEL = "Commands"
PARTS = (  # classes that the public ones return or take, and that attacks, defences and models of one's own are made of
    ("mpc_tamper.models.base", "OpenedModel"),
    ("mpc_tamper.models.checks", "Check"),
    ("mpc_tamper.runs.spec", "RunSpec"),
    ("mpc_tamper.runs.result", "PartyReport"),
    ("mpc_tamper.runs.network", "Network"),
    ("mpc_tamper.scenarios.scenario", "Scenario"),
    ("mpc_tamper.scenarios.scenario", "Attempt"),
    ("mpc_tamper.scenarios.scenario", "Attack"),
    ("mpc_tamper.defences.base", "Defence"),
    ("mpc_tamper.models.capabilities", "Capability"),
    ("mpc_tamper.models.base", "Model"),
)


def interface() -> str:
    """Autodoc's directives for every public name, found by what it is."""
    found = {name: getattr(mpc_tamper, name) for name in mpc_tamper.__all__}
    classes = {name for name, each in found.items() if inspect.isclass(each)}
    errors = {name for name in classes if issubclass(found[name], BaseException)}
    functions = {name for name, each in found.items() if inspect.isroutine(each)}
    sections = {
        "Functions": [("function", mpc_tamper, sorted(functions))],
        "Classes": [
            ("class", mpc_tamper, sorted(classes - errors)),
            ("data", mpc_tamper, sorted(set(found) - classes - functions)),
        ],
        "Errors": [("exception", mpc_tamper, sorted(errors))],
        "What they are made of": [("class", importlib.import_module(module), [name]) for module, name in PARTS],
        "For scikit-learn": [("class", mpc_tamper.sklearn, mpc_tamper.sklearn.__all__)],
        "For tests of plug-ins": [("function", mpc_tamper.testing, _own_functions(mpc_tamper.testing))],
    }
    text = ""
    for title, groups in sections.items():
        text += f"\n## {title}\n\n```{{eval-rst}}\n"
        for kind, module, names in groups:
            text += "".join(f".. auto{kind}:: {module.__name__}.{name}\n" for name in names)
        text += "```\n"
    return text


def _own_functions(module: ModuleType) -> list[str]:
    functions = inspect.getmembers(module, inspect.isfunction)
    return [name for name, each in functions if each.__module__ == module.__name__ and not name.startswith("_")]


def command_line() -> str:
    """Every command as Markdown, in the panels and the order of --help."""
    panels: dict[str, list[str]] = {}
    for name, command in typer.main.get_command(commands).commands.items():
        if not command.hidden:
            panel = getattr(command, "rich_help_panel", None)
            panels.setdefault(panel if isinstance(panel, str) else OF_NO_PANEL, []).extend(_command(command, name))
    return "".join(f"\n## {escaped(panel)}\n{''.join(texts)}" for panel, texts in panels.items())


def _command(command, *path: str) -> Iterator[str]:
    name = " ".join((commands.info.name, *path))
    yield f"\n{'#' * (2 + len(path))} {name}\n\n{paragraphs(command.help or '')}\n\n"
    if hasattr(command, "commands"):
        for each, below in command.commands.items():
            yield from _command(below, *path, each)
        return
    context = command.make_context(name, [], resilient_parsing=True)
    yield f"```console\n$ {name} {' '.join(command.collect_usage_pieces(context))}\n```\n\n"
    for parameter in command.params:
        if not getattr(parameter, "hidden", False) and parameter.name != "help":
            yield _parameter(parameter, context)


def _parameter(parameter, context) -> str:
    names, text = parameter.get_help_record(context)
    return f"{', '.join(f'`{name}`' for name in names.split(', '))}\n: {paragraphs(text).replace(chr(10), ' ')}\n\n"


def paragraphs(text: str) -> str:
    """Plain text as Markdown."""
    return "\n\n".join(escaped(" ".join(part.split())) for part in re.split(r"\n\s*\n", text.strip()))


def escaped(text: str) -> str:
    text = re.sub(r"([\\`*_{}<>\[\]#|~$])", r"\\\1", text)
    return re.sub(r"(?<![\w-])(--[a-z][a-z-]*)", r"`\1`", text)


BODIES = {"docs/site/api": interface, "docs/site/commands": command_line}


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname in BODIES:
        source[0] += BODIES[docname]()


def plain(app: Sphinx, env: BuildEnvironment, reference: pending_xref, content: Node) -> Node | None:
    """The name of a type that exists and has no section here, as of another library, without a link."""
    known = reference.get("refdomain") == "py" and pydoc.locate(reference["reftarget"]) is not None
    return content if known else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", read)
    app.connect("missing-reference", plain)
    return {"parallel_read_safe": True}
