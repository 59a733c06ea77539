"""The extension decides which class reads a file; users name classes of their own."""

import pytest

from calrecords.datafiles import (
    DataFile,
    DataFileFactory,
    FitsFile,
    LcoFitsFile,
    load_data_file_class,
)
from calrecords.errors import ConfigurationError, UnsupportedFileTypeError


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("a.fits", FitsFile),
        ("a.fits.fz", LcoFitsFile),
        ("a.b.fits", FitsFile),
        ("A.FITS", FitsFile),
        ("/x.y/a.Fits.FZ", LcoFitsFile),
    ],
)
def test_the_extension_decides(name, cls):
    assert DataFileFactory().class_for(name) is cls


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.fits.gz", "a.fit", ".fits", "fits", ""])
def test_an_unknown_extension_lists_the_known_ones(name):
    with pytest.raises(UnsupportedFileTypeError, match=r"only for \.fits, \.fits\.fz; rename"):
        DataFileFactory().class_for(name)


def test_classes_are_added_and_replaced():
    factory = DataFileFactory({".PDF": DataFile, ".fits": LcoFitsFile})
    assert factory.extensions == (".fits", ".fits.fz", ".pdf")
    assert [factory.class_for(f"a{e}") for e in factory.extensions] == [
        LcoFitsFile,
        LcoFitsFile,
        DataFile,
    ]
    assert DataFileFactory().extensions == (".fits", ".fits.fz")


def test_opens_with_every_argument(write_frame):
    frame = DataFileFactory().open(write_frame(), metadata={"FILTER": "rp"}, is_master=True)
    assert (type(frame), frame.facts.filter, frame.facts.is_master) == (FitsFile, "rp", True)


@pytest.mark.parametrize(
    ("dotted", "cls"),
    [
        ("calrecords.datafiles.lcofitsfile.LcoFitsFile", LcoFitsFile),
        (" calrecords.datafiles.FitsFile ", FitsFile),
        ("ocs_archive.input.fitsfile.FitsFile", FitsFile),
        ("ocs_archive.input.lcofitsfile.LcoFitsFile", LcoFitsFile),
        ("ocs_archive.input.file.DataFile", DataFile),
        ("ocs_archive.input.lcofitsfile.LCOFITSFILE", LcoFitsFile),
    ],
)
def test_a_dotted_path_names_a_class(dotted, cls):
    assert load_data_file_class(dotted) is cls


@pytest.mark.parametrize(
    ("dotted", "says"),
    [
        ("os.system", "not a subclass"),
        ("subprocess.Popen", "not a subclass"),
        ("calrecords.frames.FrameFacts", "not a subclass"),
        ("calrecords.datafiles.Absent", "has no Absent"),
        ("no_such_package.module.Class", "importing no_such_package.module fails"),
        (".relative.Class", "importing .relative fails"),
        ("FitsFile", "it has no module"),
        ("", "it has no module"),
        ("ocs_archive.input.soarfitsfile.SOARFitsFile", "only DataFile, FitsFile, LcoFitsFile"),
        ("ocs_archive.input.", "no class of that name"),
    ],
)
def test_a_dotted_path_that_is_no_data_file_class_is_refused(dotted, says):
    with pytest.raises(ConfigurationError, match="FILETYPE_MAPPING_OVERRIDES") as caught:
        load_data_file_class(dotted)
    assert says in str(caught.value)
