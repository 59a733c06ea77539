"""Who says something: the user of this machine, unless somebody is named."""

from __future__ import annotations

import os
from typing import Any

from calrecords.errors import ConfigurationError


def author_of(author: Any) -> str:
    """Return who says something, by default the operating system's user.

    Raises
    ------
    ConfigurationError
        If the author is no text, or empty.
    """
    if author is None:
        return system_user()
    if not isinstance(author, str) or not author.strip():
        msg = f"author={author!r}: write a name, or leave it out for your user name"
        raise ConfigurationError(msg)
    return author.strip()


def system_user() -> str:
    """Return the name of the user that runs this process, or its number where it has no name."""
    try:
        import pwd
    except ImportError:  # not Unix
        return os.getlogin()
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
