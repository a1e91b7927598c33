"""Docstrings as reStructuredText.

The project writes plain text: whole sentences, "name: what it is" for parameters and fields, indented blocks for code.
Here names become fields, blocks literal, and characters that mean something to reStructuredText are escaped.
"""

import contextlib
import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx


def rest(text: str, names: set[str]) -> str:
    """text: a docstring, dedented.  names: the parameters of a function, or the fields of a dataclass."""
    prose, fields = [], []
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if paragraph.startswith(" "):
            prose.append("::\n\n" + "\n".join(f"    {line}" for line in paragraph.splitlines()))
            continue
        for found, part in _parts(paragraph, names):
            if found:
                fields += [f":param {name}: {_escaped(part)}" for name in found]
            elif part:
                prose.append(_escaped(part))
    return "\n\n".join([*prose, "\n".join(fields)])


def _parts(paragraph: str, names: set[str]) -> Iterator[tuple[list[str], str]]:
    """What stands before the first name, then each name or list of names with what is said of it; on one line.

    What is raised, and what stands elsewhere, is said of no name.
    """
    first, *after = re.split(r"\n(?=The rest |Further )|\s+(?=Raises )", paragraph)
    if after:
        yield from _parts(first, names)
        for rest_of_it in after:
            yield [], " ".join(rest_of_it.split())
        return
    pieces = re.split(r"(?:^|\n|  )((?:\w+, )*\w+): ", f"\n{paragraph}")
    found: list[str] = []
    said = pieces[0]
    for label, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if set(label.split(", ")) <= names:
            yield found, " ".join(said.split())
            found, said = label.split(", "), text
        else:
            said += f" {label}: {text}"
    yield found, " ".join(said.split())


def _escaped(text: str) -> str:
    text = re.sub(r"`+([^`]+)`+", r"``\1``", text)
    pieces = re.split(r"(``.+?``)", text)
    return "".join(p if p.startswith("``") else re.sub(r"([\\*|]|_(?=\W|$))", r"\\\1", p) for p in pieces)


def process(app: Sphinx, what: str, name: str, what_it_is: Any, options: Any, lines: list[str]) -> None:
    names: set[str] = set()
    if inspect.isclass(what_it_is) and dataclasses.is_dataclass(what_it_is):
        names = {field.name for field in dataclasses.fields(what_it_is)}
    elif callable(what_it_is):
        with contextlib.suppress(TypeError, ValueError):  # what is written in C has none
            names = set(inspect.signature(what_it_is).parameters)
    lines[:] = rest("\n".join(lines), names).splitlines()


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
