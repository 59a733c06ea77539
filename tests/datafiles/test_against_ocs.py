"""Every real frame is described as ocs-archive 0.5.0 describes it, field by field."""

import os
import subprocess
import sys
from importlib import import_module

import pytest

from calrecords.datafiles import (
    DataFileFactory,
    LcoFitsFile,
    SoarFitsFile,
    load_data_file_class,
)

FRAMES = (
    "bias_kb70_20151221_bin2x2.fits",
    "bias_kb70_20151221_bin2x2.fits.fz",
    "coj1m011-fl08-20151216-0049-b00.fits.fz",
    "coj1m011-fl08-20151216-0083-d00.fits.fz",
    "coj1m011-kb05-20150219-0125-e90.fits",
    "coj1m011-kb05-20150219-0125-e90.fits.fz",
    "cpt1m010-kb70-20151219-0073-e10.fits.fz",
    "cpt1m010-kb70-20151219-0073-e10_cat.fits.fz",
    "cpt1m012-fl10-20151216-0044-f00.fits.fz",
    "dark_kb70_20151222_bin2x2.fits",
    "dark_kb70_20151222_bin2x2.fits.fz",
    "flat_kb70_20151222_SKYFLAT_bin2x2_ip.fits",
    "flat_kb70_20151222_SKYFLAT_bin2x2_ip.fits.fz",
    "lsc1m005-kb78-20151109-0179-e90.fits.fz",
)

WITH_WCS = frozenset((*FRAMES[4:7], FRAMES[-1]))

ONLY_OCS = {
    "frame_basename": "of thumbnails; the archive ignores it in a frame",
    "size": "of thumbnails; the archive ignores it in a frame",
}
ONLY_OURS = {
    "basename": "the OCS ingester adds it to the record later",
    "headers": "the OCS ingester adds it later; compared by itself",
    "area": "the OCS ingester adds it later; compared by itself",
}
CONTENT_TYPES = {
    "": "application/pdf",  # OCS has none for a document
    "image/jpg": "image/jpeg",  # which is what a JPEG's is called
}
PICTURE, DOCUMENT = (
    "tfn0m419-sq32-20240426-0097-e91-small.jpg",
    "cptnrs03-fa13-20150219-0001-e92-summary.pdf",
)
OF_A_DOCUMENT = {
    **{"PROPID": "LCO2015A-001", "DATE-OBS": "2015-02-19T23:04:05.678", "DAY-OBS": "20150219"},
    **{"INSTRUME": "fa13", "SITEID": "cpt", "TELID": "igla", "OBSTYPE": "TARGET", "BLKUID": 1234},
    **{"RLEVEL": 92, "EXPTIME": 900.0, "L1IDCAT": "cat", "OBJECT": "HD 1"},
}
OF_A_PICTURE = {
    **{"frame_basename": "tfn0m419-sq32-20240426-0097-e91", "size": "small", "DAY-OBS": "20240426"},
    **{"DATE-OBS": "2024-04-26T22:04:05.678", "INSTRUME": "sq32", "SITEID": "tfn"},
    **{"TELID": "0m4a", "REQNUM": "UNSPECIFIED", "OBJECT": "N/A"},
}


def described_by_ocs(path, metadata=None, class_name=None):
    """Return record, headers, store path, content type and area, as ocs-archive makes them."""
    from ocs_archive.input.file import File
    from ocs_archive.input.filefactory import FileFactory

    with path.open("rb") as stream:
        file = File(stream, str(path))
        cls = FileFactory.get_datafile_class_for_extension(file.extension)
        if class_name is not None:
            cls = getattr(import_module(f"ocs_archive.input.{class_name.lower()}"), class_name)
        data_file = cls(file, dict(metadata or {}))
        header = data_file.get_header_data()
        return (
            header.get_archive_frame_data(),
            header.get_headers(),
            data_file.get_filestore_path(),
            data_file.get_filestore_content_type(),
            data_file.get_wcs_corners(),
        )


def demand_equal(data_file, path, metadata=None, class_name=None):
    """Compare everything that both say of a file; the area only where it was asked for."""
    record, headers, store_path, content_type, area = described_by_ocs(path, metadata, class_name)
    ours = data_file.archive_record()
    assert data_file.header == headers
    assert {k: type(v) for k, v in data_file.header.items()} == {
        k: type(v) for k, v in headers.items()
    }
    assert {k: v for k, v in ours.items() if k not in ONLY_OURS and k not in ONLY_OCS} == {
        k: v for k, v in record.items() if k not in ONLY_OCS
    }
    assert ours["basename"] == path.name.split(".")[0]
    assert ours["headers"] == headers
    assert ours["area"] in (area, None)
    assert data_file.store_key == store_path
    assert data_file.content_type == CONTENT_TYPES.get(content_type, content_type)
    return ours, record


@pytest.fixture
def ocs_defaults(monkeypatch):
    """Hide settings of this machine from ocs-archive, which reads them when it is imported."""
    from calrecords.datafiles import OCS_SETTINGS

    for name in OCS_SETTINGS:
        monkeypatch.delenv(name, raising=False)


def test_no_real_file_is_left_out(shared_data):
    names = sorted(path.name for path in (shared_data / "lco").iterdir())
    assert names == sorted((*FRAMES, PICTURE, DOCUMENT))


@pytest.mark.filterwarnings("ignore")  # ocs-archive leaves astropy's warnings to its caller
@pytest.mark.usefixtures("ocs_defaults")
@pytest.mark.parametrize("name", FRAMES)
def test_describes_a_real_frame_as_ocs_does(shared_data, name):
    path = shared_data / "lco" / name
    ours, _ = demand_equal(DataFileFactory(sky_area=True).open(path), path)
    assert (ours["area"] is not None) == (name in WITH_WCS)


@pytest.mark.usefixtures("ocs_defaults")
def test_describes_a_document_as_ocs_does(shared_data):
    path = shared_data / "lco" / DOCUMENT
    demand_equal(DataFileFactory().open(path, metadata=OF_A_DOCUMENT), path, OF_A_DOCUMENT)


@pytest.mark.usefixtures("ocs_defaults")
def test_describes_a_picture_as_ocs_does(shared_data):
    path = shared_data / "lco" / PICTURE
    data_file = DataFileFactory().open(path, metadata=OF_A_PICTURE)
    ours, record = demand_equal(data_file, path, OF_A_PICTURE)
    assert {k: ours[k] for k in ONLY_OCS} == {k: record[k] for k in ONLY_OCS}


@pytest.mark.filterwarnings("ignore")  # ocs-archive leaves astropy's warnings to its caller
@pytest.mark.usefixtures("ocs_defaults")
@pytest.mark.parametrize("class_name", ["TarWithFitsFile", "LcoTarWithFitsFile"])
def test_describes_an_archive_as_ocs_does(shared_data, write_tar, class_name):
    names = (DOCUMENT, FRAMES[6], FRAMES[4], FRAMES[5], PICTURE)
    members = [(f"night/{name}", (shared_data / "lco" / name).read_bytes()) for name in names]
    path = write_tar("cptnrs03-fa13-20150219-0001-e91.tar.gz", members)
    cls = load_data_file_class(f"ocs_archive.input.{class_name.lower()}.{class_name}")
    ours, _ = demand_equal(cls(path), path, class_name=class_name)
    assert ours["headers"]["ORIGNAME"] == {
        "TarWithFitsFile": "cpt1m010-kb70-20151219-0073-e00",
        "LcoTarWithFitsFile": "coj1m011-kb05-20150219-0125-e00",
    }.get(class_name)


@pytest.mark.usefixtures("ocs_defaults")
@pytest.mark.parametrize("name", ["cfzst_1", "ecfzst_1", "wecfzst_1", "1"])
def test_describes_a_frame_of_soar_as_ocs_does(write_frame, name):
    path = write_frame(f"{name}.fits", RLEVEL=7)
    demand_equal(SoarFitsFile(path), path, class_name="SOARFitsFile")


@pytest.mark.usefixtures("ocs_defaults")
def test_a_field_of_view_becomes_the_area_that_it_has_with_ocs(write_frame):
    path = write_frame("1.fits", RADIUS=36.5, RA="01:02:03.4", DEC="-10:20:30.5")
    ours, _ = demand_equal(DataFileFactory(sky_area=True).open(path), path)
    assert ours["area"]["type"] == "Polygon"


LCO_NAMES = [
    *("trace-x-20260101-0001-w00", "arc-x-20260101-0001-a00", "s-c-20260101-bias-bin1x1"),
    *("s-c-20260101-bpm-bin1x1", "s-c-20260101-0001-b00", "s-c-20260101-0001-e00"),
    *("s-en06-20260101-0001-e00", "s-c-20260101-0001-a00", "s-c-20260101-0001-x91_cat"),
    *("s-c-20260101-0001-f92", "s-c-20260101-0001-g00", "s-c-20260101-0001-e91-1d"),
]


@pytest.mark.usefixtures("ocs_defaults")
@pytest.mark.parametrize("name", LCO_NAMES)
@pytest.mark.parametrize("keywords", [{}, {"ENCID": "igla"}, {"TELID": "igla"}])
def test_reads_a_name_of_lco_as_ocs_does(write_frame, name, keywords):
    path = write_frame(f"{name}.fits.fz", OBSTYPE="UNKNOWN", L1IDBIAS="b.fits", **keywords)
    demand_equal(LcoFitsFile(path), path)


@pytest.mark.usefixtures("ocs_defaults")
@pytest.mark.parametrize(
    "name", ["bpm", "bpm-x", "bpm_x", "x_bpm", "x-bpm-y", "x_bpm_y", "subpm-x", "x-bpmy", "x-bpm"]
)
@pytest.mark.parametrize("keywords", [{}, {"OBSTYPE": "BPM"}, {"EXTNAME": "BPM"}])
def test_keeps_masks_where_ocs_does(write_frame, name, keywords):
    path = write_frame(f"{name}.fits.fz", RLEVEL=91, **keywords)
    demand_equal(LcoFitsFile(path), path)


def test_reads_headers_without_astropy_or_numpy(shared_data):
    code = (
        "import sys; from calrecords.datafiles import DataFileFactory;"
        "DataFileFactory().open(sys.argv[1]).archive_record();"
        "print(sorted({'astropy', 'numpy'} & set(sys.modules)))"
    )
    frame = shared_data / "lco" / FRAMES[1]
    done = subprocess.run(
        [sys.executable, "-c", code, str(frame)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    assert done.stdout == "[]\n"
