"""The site: README as its first page, docs/, results/ and the references, by Sphinx. `make site` builds it strictly.

The project's own folder is the source, so a relative link means the same here and where a git host shows the page; a
link to a file that is no page becomes a download.
"""

import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

project = "mpc-tamper"
author = "The mpc-tamper authors"
project_copyright = author
version = release = installed(project)

root_doc = "README"  # its last section is the table of contents; see pages.py
include_patterns = ["*.md", "docs/**.md", "docs/notebooks/*.nb.py", "results/*.md", "patches/*.md"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton", "pages", "reference", "docstrings"]

nitpicky = True
nitpick_ignore_regex = [("py:class", r"(np|pd)\..*|Path|[\w.]+\[.*")]  # of what is imported for type checkers alone
autodoc_default_options = {"members": True}
python_maximum_signature_line_length = 90
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
copybutton_prompt_text = "$ "  # is not copied
nb_custom_formats = {".nb.py": "notebooks.read"}  # with their outputs
nb_execution_mode = "off"
nb_merge_streams = True

html_theme = "furo"
html_title = f"{project} {release}"
html_show_sphinx = False
html_show_sourcelink = False
html_copy_source = False
