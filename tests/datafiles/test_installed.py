"""Classes of installed packages are found by their entry points, and loaded when needed."""

import sys

import pytest

from calrecords.datafiles import (
    DataFileFactory,
    FitsFile,
    LcoFitsFile,
    installed_data_file_classes,
)
from calrecords.errors import ConfigurationError


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package that offers classes on the import path."""

    def put(package, offers, source="raise RuntimeError('broken package')"):
        (tmp_path / f"{package.replace('-', '_')}.py").write_text(source)
        described = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        lines = "\n".join(f"{name} = {value}" for name, value in offers.items())
        (described / "entry_points.txt").write_text(f"[calrecords.datafiles]\n{lines}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return put


SPECTRA = "from calrecords.datafiles import FitsFile\nclass Spectrum(FitsFile): extensions = ()\n"


def test_a_class_is_loaded_when_its_file_comes(install, write_frame):
    install("spectra-one", {".SPEC": "spectra_one:Spectrum"}, SPECTRA)
    classes = installed_data_file_classes()
    assert (list(classes), len(classes), ".spec" in classes) == ([".spec"], 1, True)
    factory = DataFileFactory(classes)
    assert ".spec" in factory.extensions
    assert factory.class_for("a.fits") is FitsFile
    assert "spectra_one" not in sys.modules
    assert type(factory.open(write_frame("x.spec"))).__name__ == "Spectrum"


def test_the_users_own_go_first(install):
    install("spectra-two", {"fits": "spectra_two:Spectrum"})
    classes = installed_data_file_classes({".FITS": LcoFitsFile, ".spec": FitsFile})
    assert (sorted(classes), len(classes)) == ([".fits", ".spec"], 2)
    assert all(extension in classes for extension in (".fits", ".spec"))
    factory = DataFileFactory(classes)
    assert factory.class_for("a.fits") is LcoFitsFile
    assert factory.class_for("a.SPEC") is FitsFile


@pytest.mark.parametrize(
    ("package", "value", "says"),
    [
        ("bad-one", "bad_one:Spectrum", "importing it fails: broken package"),
        ("bad-two", "no_such_module:Spectrum", "importing it fails: No module named"),
        ("bad-three", "calrecords.datafiles:Absent", "importing it fails"),
        ("bad-four", "os:system", "not a subclass of calrecords.datafiles.DataFile"),
        ("bad-five", "calrecords.frames:FrameFacts", "not a subclass"),
        ("bad-six", "calrecords.datafiles", "not a subclass"),
    ],
)
def test_a_class_that_cannot_be_had_names_its_package(install, package, value, says):
    install(package, {".spec": value})
    factory = DataFileFactory(installed_data_file_classes())
    with pytest.raises(ConfigurationError, match=f"of the package {package}") as caught:
        factory.class_for("x.spec")
    assert says in str(caught.value)
    assert factory.class_for("a.fits") is FitsFile


def test_two_packages_with_one_extension_are_named(install):
    install("spectra-three", {".spec": "spectra_three:A"})
    install("spectra-four", {".spec": "spectra_four:A"})
    with pytest.raises(ConfigurationError, match="spectra-four, spectra-three each have a class"):
        installed_data_file_classes()[".spec"]


def test_what_nobody_offers_is_not_there():
    with pytest.raises(KeyError):
        installed_data_file_classes()[".absent"]
