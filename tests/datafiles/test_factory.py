"""The extension decides which class reads a file; users name classes of their own."""

import pytest

from calrecords.datafiles import (
    DataFile,
    DataFileFactory,
    FitsFile,
    LcoFitsFile,
    LcoTarWithFitsFile,
    SoarFitsFile,
    TarWithFitsFile,
    ThumbnailFile,
    load_data_file_class,
)
from calrecords.errors import ConfigurationError, UnsupportedFileTypeError

EXTENSIONS = (".fits", ".fits.fz", ".tar.gz", ".pdf", ".jpg", ".jpeg", ".fits.gz", ".fit")


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("a.fits", FitsFile),
        ("a.fits.fz", LcoFitsFile),
        ("a.b.fits", FitsFile),
        ("A.FITS", FitsFile),
        ("/x.y/a.Fits.FZ", LcoFitsFile),
        ("a.fits.gz", FitsFile),
        ("a.fit", FitsFile),
        ("a.tar.gz", TarWithFitsFile),
        ("a.pdf", DataFile),
        ("a.jpg", ThumbnailFile),
        ("a.JPEG", ThumbnailFile),
    ],
)
def test_the_extension_decides(name, cls):
    assert DataFileFactory().class_for(name) is cls


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.gz", ".fits", "fits", ""])
def test_an_unknown_extension_lists_the_known_ones(name):
    with pytest.raises(
        UnsupportedFileTypeError, match=r"only for \.fits, \.fits\.fz, \.tar.*; rename"
    ):
        DataFileFactory().class_for(name)


def test_classes_are_added_and_replaced():
    factory = DataFileFactory({".PNG": ThumbnailFile, ".fits": LcoFitsFile})
    assert factory.extensions == (*EXTENSIONS, ".png")
    assert [factory.class_for(f"a{e}") for e in (".fits", ".fits.fz", ".png")] == [
        LcoFitsFile,
        LcoFitsFile,
        ThumbnailFile,
    ]
    assert DataFileFactory().extensions == EXTENSIONS


def test_a_class_is_not_asked_for_before_its_file_comes():
    class Refusing(dict):
        def __getitem__(self, key):
            raise ConfigurationError(key)

    factory = DataFileFactory(Refusing({".Spec": None}))
    assert ".spec" in factory.extensions
    assert factory.class_for("a.fits") is FitsFile
    with pytest.raises(ConfigurationError, match=r"\.Spec"):
        factory.class_for("a.spec")


def test_hands_on_what_every_file_is_opened_with(write_frame):
    factory = DataFileFactory(proposal_tags=lambda proposal: ["private"], sky_area=True)
    frame = factory.open(write_frame(RADIUS=3600.0, RA=1.0, DEC=10.0))
    assert frame.header["L1PUBDAT"].startswith("3024-")
    assert frame.archive_record()["area"]["coordinates"][0][0] == pytest.approx([14, 11])


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
        ("ocs_archive.input.soarfitsfile.SOARFitsFile", SoarFitsFile),
        ("ocs_archive.input.tarwithfitsfile.TarWithFitsFile", TarWithFitsFile),
        ("ocs_archive.input.lcotarwithfitsfile.LcoTarWithFitsFile", LcoTarWithFitsFile),
        ("ocs_archive.input.thumbnailfile.ThumbnailFile", ThumbnailFile),
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
        ("ocs_archive.input.file.EmptyFile", "only DataFile, FitsFile, LcoFitsFile, SoarFitsFile"),
        ("ocs_archive.input.", "no class of that name"),
    ],
)
def test_a_dotted_path_that_is_no_data_file_class_is_refused(dotted, says):
    with pytest.raises(ConfigurationError, match="FILETYPE_MAPPING_OVERRIDES") as caught:
        load_data_file_class(dotted)
    assert says in str(caught.value)
