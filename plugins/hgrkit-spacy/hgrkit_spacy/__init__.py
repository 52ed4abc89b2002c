"""A parser plugin for hgrkit: spaCy's dependency trees, labelled with roles."""

from __future__ import annotations

from hgrkit_spacy.spacy_parser import SpacyParser

__all__ = ["SpacyParser"]
