"""Which class reads a file: by its extension, with the user's own classes where given."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from calrecords.datafiles.datafile import DataFile
from calrecords.datafiles.fitsfile import FitsFile
from calrecords.datafiles.lcofitsfile import LcoFitsFile
from calrecords.datafiles.mapping import LCO_MAPPING, HeaderMapping
from calrecords.errors import ConfigurationError, UnsupportedFileTypeError
from calrecords.vocabulary import split_filename

DEFAULT_CLASSES: Mapping[str, type[DataFile]] = {".fits": FitsFile, ".fits.fz": LcoFitsFile}
"""Class by extension; the Observatory Control System reads these two in the same way."""

_OCS_PACKAGE = "ocs_archive.input."
_OWN_CLASSES = {cls.__name__.lower(): cls for cls in (DataFile, FitsFile, LcoFitsFile)}


class DataFileFactory:
    """Opens files with the class for their extension.

    Parameters
    ----------
    classes : mapping, optional
        Class by extension, added to `DEFAULT_CLASSES` or in place of one of them.
    """

    def __init__(self, classes: Mapping[str, type[DataFile]] | None = None) -> None:
        added = {extension.lower(): cls for extension, cls in (classes or {}).items()}
        self._classes = {**DEFAULT_CLASSES, **added}

    @property
    def extensions(self) -> tuple[str, ...]:
        """Extensions that have a class, with their dots."""
        return tuple(self._classes)

    def class_for(self, filename: str | Path) -> type[DataFile]:
        """Return the class that reads a file of this name, in any case of letters.

        Raises
        ------
        UnsupportedFileTypeError
            If no class reads this extension.
        """
        extension = split_filename(str(filename))[1].lower()
        try:
            return self._classes[extension]
        except KeyError as error:
            known = ", ".join(self.extensions)
            msg = (
                f"cannot read {filename}: no class for {extension or 'no extension'!r}, only for"
                f" {known}; rename the file, or set a class in FILETYPE_MAPPING_OVERRIDES"
            )
            raise UnsupportedFileTypeError(msg) from error

    def open(
        self,
        path: str | Path,
        *,
        mapping: HeaderMapping = LCO_MAPPING,
        metadata: Mapping[str, Any] | None = None,
        is_master: bool | None = None,
    ) -> DataFile:
        """Return the data file at a path; arguments and errors as for `DataFile`."""
        cls = self.class_for(path)
        return cls(path, mapping=mapping, metadata=metadata, is_master=is_master)


def load_data_file_class(dotted: str) -> type[DataFile]:
    """Return the class that a dotted path names, which must be a `DataFile`.

    A path such as ``ocs_archive.input.fitsfile.FitsFile``, as OCS configurations have it, means
    our class of that name.

    Raises
    ------
    ConfigurationError
        If there is no such module or class, importing it fails, or it is not a data file class.
    """
    module_name, _, class_name = dotted.strip().rpartition(".")
    if dotted.strip().startswith(_OCS_PACKAGE):
        return _own_class(dotted, class_name)
    if not module_name:
        raise _unusable(dotted, "it has no module; write package.module.Class")
    try:
        found = getattr(import_module(module_name), class_name)
    except AttributeError as error:
        raise _unusable(dotted, f"{module_name} has no {class_name}") from error
    except Exception as error:
        raise _unusable(dotted, f"importing {module_name} fails: {error}") from error
    if not isinstance(found, type) or not issubclass(found, DataFile):
        raise _unusable(dotted, "it is not a subclass of calrecords.datafiles.DataFile")
    return found


def _own_class(dotted: str, class_name: str) -> type[DataFile]:
    own = _OWN_CLASSES.get(class_name.lower())
    if own is None:
        known = ", ".join(cls.__name__ for cls in _OWN_CLASSES.values())
        raise _unusable(dotted, f"calrecords has no class of that name, only {known}")
    return own


def _unusable(dotted: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"cannot read files with {dotted!r}: {why}; correct FILETYPE_MAPPING_OVERRIDES"
    )
