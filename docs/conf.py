"""Sphinx configuration of the documentation: `make docs` builds it into build/docs."""

from __future__ import annotations

import re
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from scoremill import __version__

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
SOURCE = "https://github.com/scoremill/scoremill/blob/main"
_LINK = re.compile(r"\]\((\.\./[^)#\s]+)")

project = "scoremill"
author = "The scoremill authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
default_role = "code"
smartquotes_action = "D"  # dashes; quotes stay as they can be typed

myst_heading_anchors = 3

autodoc_typehints = "none"  # docstrings have them
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"scoremill {__version__}"
html_theme_options = {
    "source_repository": "https://github.com/scoremill/scoremill/",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
copybutton_exclude = ".linenos, .go"


def link_to_repository(app: Sphinx, name: str, source: list[str]) -> None:
    """Make relative links that leave docs/ links to the repository; a link to a missing file is left, so that it fails."""
    page = DOCS / name

    def resolve(match: re.Match[str]) -> str:
        target = (page.parent / match[1]).resolve()
        if target.is_relative_to(DOCS) or not target.exists():
            return match[0]
        return f"]({SOURCE}/{target.relative_to(ROOT)}"

    source[0] = _LINK.sub(resolve, source[0])


def setup(app: Sphinx) -> None:
    """Register the hook, and the languages of code blocks that are shown without colors."""
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", link_to_repository)
