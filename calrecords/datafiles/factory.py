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
from calrecords.datafiles.repairs import ProposalTags
from calrecords.datafiles.soarfitsfile import SoarFitsFile
from calrecords.datafiles.tarwithfitsfile import LcoTarWithFitsFile, TarWithFitsFile
from calrecords.datafiles.thumbnailfile import ThumbnailFile
from calrecords.errors import ConfigurationError, UnsupportedFileTypeError
from calrecords.vocabulary import split_filename

DEFAULT_CLASSES: Mapping[str, type[DataFile]] = {
    ".fits": FitsFile,
    ".fits.fz": LcoFitsFile,
    ".tar.gz": TarWithFitsFile,
    ".pdf": DataFile,
    ".jpg": ThumbnailFile,
    ".jpeg": ThumbnailFile,
    ".fits.gz": FitsFile,
    ".fit": FitsFile,
}
"""Class by extension; all but the last two as the Observatory Control System has it."""

_OCS_PACKAGE = "ocs_archive.input."
_OWN_CLASSES: Mapping[str, type[DataFile]] = {
    name.lower(): cls
    for name, cls in {
        "DataFile": DataFile,
        "FitsFile": FitsFile,
        "LcoFitsFile": LcoFitsFile,
        "SOARFitsFile": SoarFitsFile,
        "TarWithFitsFile": TarWithFitsFile,
        "LcoTarWithFitsFile": LcoTarWithFitsFile,
        "ThumbnailFile": ThumbnailFile,
    }.items()
}


class DataFileFactory:
    """Opens files with the class for their extension.

    Parameters
    ----------
    classes : mapping, optional
        Class by extension, added to `DEFAULT_CLASSES` or in place of one of them; a class is
        taken from it when a file with its extension comes, and not before, so that those of
        `installed_data_file_classes` cost nothing until then.
    proposal_tags : callable, optional
        Given the ID of a proposal, returns its tags; see `DataFile`.
    sky_area : bool
        Whether the archive's records say where on the sky a frame lies; see `DataFile`.
    """

    def __init__(
        self,
        classes: Mapping[str, type[DataFile]] | None = None,
        *,
        proposal_tags: ProposalTags | None = None,
        sky_area: bool = False,
    ) -> None:
        self._added = classes or {}
        self._added_names = {extension.lower(): extension for extension in self._added}
        self._proposal_tags = proposal_tags
        self._sky_area = sky_area

    @property
    def extensions(self) -> tuple[str, ...]:
        """Extensions that have a class, with their dots."""
        return tuple(dict.fromkeys((*DEFAULT_CLASSES, *self._added_names)))

    def class_for(self, filename: str | Path) -> type[DataFile]:
        """Return the class that reads a file of this name, in any case of letters.

        Raises
        ------
        UnsupportedFileTypeError
            If no class reads this extension.
        ConfigurationError
            If the class is that of an installed package, and cannot be had.
        """
        extension = split_filename(str(filename))[1].lower()
        if extension in self._added_names:
            return self._added[self._added_names[extension]]
        try:
            return DEFAULT_CLASSES[extension]
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
        return cls(
            path,
            mapping=mapping,
            metadata=metadata,
            is_master=is_master,
            proposal_tags=self._proposal_tags,
            sky_area=self._sky_area,
        )


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
