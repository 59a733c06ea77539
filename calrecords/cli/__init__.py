"""The command line: one module for each noun, imported when its verb is typed."""

from __future__ import annotations

from calrecords.cli.app import main

__all__ = ["main"]
