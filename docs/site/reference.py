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
from typer.core import TyperCommand, TyperGroup

import mpc_tamper
import mpc_tamper.sklearn
import mpc_tamper.testing
from mpc_tamper.cli.main import app as commands

PROGRAM = "mpc-tamper"
OF_NO_PANEL = "Commands"
NOTEBOOKS = "docs/notebooks/"
PARTS = (  # classes that the public ones return or take
    ("mpc_tamper.models.base", "OpenedModel"),
    ("mpc_tamper.models.checks", "Check"),
    ("mpc_tamper.runs.spec", "RunSpec"),
    ("mpc_tamper.runs.result", "PartyReport"),
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
    group = typer.main.get_command(commands)
    panels: dict[str, list[str]] = {}
    for name, command in group.commands.items():
        if not command.hidden:
            panel = getattr(command, "rich_help_panel", None)
            panels.setdefault(panel if isinstance(panel, str) else OF_NO_PANEL, []).extend(_command(command, name))
    panels["Before any command"] = ["\n", _parameters(group, PROGRAM)]
    return "".join(f"\n## {escaped(panel)}\n{''.join(texts)}" for panel, texts in panels.items())


def _command(command: TyperCommand | TyperGroup, *path: str) -> Iterator[str]:
    name = " ".join((PROGRAM, *path))
    yield f"\n{'#' * (2 + len(path))} {name}\n\n{paragraphs(command.help or '')}\n\n"
    if isinstance(command, TyperGroup):
        for each, below in command.commands.items():
            yield from _command(below, *path, each)
    else:
        usage = command.collect_usage_pieces(command.make_context(name, [], resilient_parsing=True))
        yield f"```console\n$ {name} {' '.join(usage)}\n```\n\n"
        yield _parameters(command, name)


def _parameters(command: TyperCommand | TyperGroup, name: str) -> str:
    """A definition list of arguments and options, with what --help says of each."""
    context = command.make_context(name, [], resilient_parsing=True)
    records = [parameter.get_help_record(context) for parameter in command.params if parameter.name != "help"]
    return "".join(
        f"{', '.join(f'`{each}`' for each in names.split(', '))}\n: {escaped(' '.join(text.split()))}\n\n"
        for names, text in filter(None, records)  # None of those that are hidden
    )


def paragraphs(text: str) -> str:
    """Plain text as Markdown."""
    return "\n\n".join(escaped(" ".join(part.split())) for part in re.split(r"\n\s*\n", text.strip()))


def escaped(text: str) -> str:
    """Without a meaning for Markdown; names of options are code."""
    text = re.sub(r"([\\`*_{}<>\[\]#|~$])", r"\\\1", text)
    return re.sub(r"(?<![\w-])(--[a-z][a-z-]*)", r"`\1`", text)


BODIES = {"docs/site/api": interface, "docs/site/commands": command_line}


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname in BODIES:
        source[0] += BODIES[docname]()


def outdated(app: Sphinx, env: BuildEnvironment, *changed: set[str]) -> list[str]:
    """Pages that may be others although their files are the same: those from code, and what notebooks print."""
    return [*BODIES, *(name for name in env.found_docs if name.startswith(NOTEBOOKS))]


def plain(app: Sphinx, env: BuildEnvironment, reference: pending_xref, content: Node) -> Node | None:
    """The name of a type that exists and has no section here, as of another library, without a link."""
    known = reference.get("refdomain") == "py" and pydoc.locate(reference["reftarget"]) is not None
    return content if known else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", read)
    app.connect("env-get-outdated", outdated)
    app.connect("missing-reference", plain)
    return {"parallel_read_safe": True}
