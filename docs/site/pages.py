"""README as the first page: its section "Where to read on" is the table of contents, so a page is listed in one place.

Sphinx complains of a page that no table of contents has, which makes README list them all.
"""

import re
from shutil import copyfile

from sphinx.application import Sphinx

SECTION = re.compile(r"^## Where to read on\n(.*?)(?=^## |\Z)", flags=re.DOTALL | re.MULTILINE)
GROUP = re.compile(r"^- \*\*(.+?):?\*\*(.*?)(?=^- |^$)", flags=re.DOTALL | re.MULTILINE)
PAGE = re.compile(r"\]\(([^)#\s]+)\.(?:md|nb\.py)\)")
ALSO = {"Look it up": ["docs/site/api", "docs/site/commands", "patches/README"], "Results": ["results/*"]}


def table_of_contents(readme: str) -> str:
    """MyST's directives for the groups of links at the end of README, and for what only the site has."""
    section = SECTION.search(readme)
    groups = {caption: PAGE.findall(links) for caption, links in GROUP.findall(section[1])} if section else {}
    if not groups:
        raise ValueError('README.md: expected a section "Where to read on" with lists of links, got none')
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n"
        for caption, pages in (groups | ALSO).items()
    )


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname == app.config.root_doc:
        source[0] += table_of_contents(source[0])
    elif not re.search(r"^# ", source[0], flags=re.MULTILINE) and docname.startswith("results/"):
        title = re.sub(r"(?<=[a-z])(?=\d)", " ", docname.removeprefix("results/")).replace("-", ", ").capitalize()
        source[0] = f"# {title}\n\n{source[0]}"


def name_the_first_page(app: Sphinx, exception: Exception | None) -> None:
    """README.html is index.html too, beside it, so that its links are right."""
    if exception is None and app.builder.name == "html":
        copyfile(app.outdir / f"{app.config.root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", read)
    app.connect("build-finished", name_the_first_page)
    return {"parallel_read_safe": True}
