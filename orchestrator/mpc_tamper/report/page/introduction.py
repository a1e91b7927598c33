"""What was asked, the commands and the findings: from README.md, where they are kept and tested."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import read_text_file
from mpc_tamper.report.page.markdown import prose

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_COMMANDS = re.compile(r"^    (make [a-z-]+) +# (.+)$", re.MULTILINE)
_FINDINGS = re.compile(r"^1\. .*?(?=^\S(?<![0-9]))", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Introduction:
    """question, findings: HTML.  commands: each with what it does, below a heading."""

    question: Markup
    heading: str
    commands: tuple[tuple[str, str], ...]
    findings: Markup


def read_introduction() -> Introduction:
    """Raises DataError where README.md is not as this project writes it."""
    path = bundle.document("README.md")
    text = read_text_file(path, "the README of mpc-tamper")
    opening, *rest = _SECTION.split(text)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    question = re.search(r"^# .*?\n\n(.*?)(?=\n\n)", opening, re.DOTALL)
    heading = next((name for name in sections if name.endswith("commands")), "")
    commands = _COMMANDS.findall(sections.get(heading, ""))
    findings = _FINDINGS.search(next((body for name, body in sections.items() if name.endswith("findings")), ""))
    if question is None or not commands or findings is None:
        raise DataError(f"{path}: expected an opening, commands and findings, got others; install mpc-tamper again")
    return Introduction(prose(question[1]), heading, tuple(commands), prose(findings[0]))
