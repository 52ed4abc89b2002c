"""Sphinx configuration; build with `sphinx-build -W -b html docs OUT`."""

from __future__ import annotations

from importlib import metadata

project = "hgrkit"
author = "The hgrkit authors"
copyright = "The hgrkit authors, Apache License 2.0"
version = release = metadata.version("hgrkit")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "hgrkit"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
