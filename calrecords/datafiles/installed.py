"""Data file classes that other installed packages offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from calrecords.datafiles.datafile import DataFile
from calrecords.errors import ConfigurationError

ENTRY_POINT_GROUP = "calrecords.datafiles"
"""Group in which a package names its classes: an extension, and ``package.module:Class``."""


def installed_data_file_classes(
    before: Mapping[str, type[DataFile]] | None = None,
) -> Mapping[str, type[DataFile]]:
    """Return the classes of the installed packages, by extension in lower case.

    A package offers one in its own ``pyproject.toml``::

        [project.entry-points."calrecords.datafiles"]
        ".spec" = "my_package.spectra:SpectrumFile"

    Nothing is imported until a class is asked for. Asking for one raises `ConfigurationError`,
    which names the package, where it cannot be imported or is no subclass of `DataFile`, or
    where two packages have one for the same extension.

    Parameters
    ----------
    before : mapping, optional
        A user's own classes by extension, which are part of the answer and go first.
    """
    return _InstalledClasses(before or {})


class _InstalledClasses(Mapping[str, type[DataFile]]):
    """Loads a class when it is asked for, and not before."""

    def __init__(self, before: Mapping[str, type[DataFile]]) -> None:
        self._before = {extension.lower(): cls for extension, cls in before.items()}
        self._offers: dict[str, list[EntryPoint]] = {}
        for offer in entry_points(group=ENTRY_POINT_GROUP):
            self._offers.setdefault("." + offer.name.lower().lstrip("."), []).append(offer)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._before, *self._offers)))

    def __len__(self) -> int:
        return len(self._before.keys() | self._offers.keys())

    def __contains__(self, extension: object) -> bool:
        return extension in self._before or extension in self._offers

    def __getitem__(self, extension: str) -> type[DataFile]:
        if extension in self._before:
            return self._before[extension]
        offers = self._offers[extension]
        if len({offer.value for offer in offers}) > 1:
            packages = ", ".join(sorted(_package(offer) for offer in offers))
            msg = (
                f"the packages {packages} each have a class for {extension} files; uninstall"
                " all but one, or say which in FILETYPE_MAPPING_OVERRIDES"
            )
            raise ConfigurationError(msg)
        return _load(offers[0])


def _load(offer: EntryPoint) -> type[DataFile]:
    try:
        found = offer.load()
    except Exception as error:
        raise _unusable(offer, f"importing it fails: {error}") from error
    if not isinstance(found, type) or not issubclass(found, DataFile):
        raise _unusable(offer, "it is not a subclass of calrecords.datafiles.DataFile")
    return found


def _unusable(offer: EntryPoint, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"cannot read {offer.name} files with {offer.value!r} of the package {_package(offer)}:"
        f" {why}; update or uninstall that package, or set another class in"
        " FILETYPE_MAPPING_OVERRIDES"
    )


def _package(offer: EntryPoint) -> str:
    return offer.dist.name if offer.dist is not None else "of no name"
