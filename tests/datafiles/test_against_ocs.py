"""Every real frame is described as ocs-archive 0.5.0 describes it, field by field."""

import os
import subprocess
import sys

import pytest

from calrecords.datafiles import DataFileFactory

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

ONLY_OCS = {
    "frame_basename": "of thumbnails; the archive ignores it in a frame",
    "size": "of thumbnails; the archive ignores it in a frame",
}
ONLY_OURS = {
    "basename": "the OCS ingester adds it to the record later",
    "headers": "the OCS ingester adds it later; compared by itself",
    "area": "the OCS ingester adds it later; None here, as computing it from an untrusted header"
    " runs native code",
}


def described_by_ocs(path):
    """Return record, headers, store path and content type, as ocs-archive makes them."""
    from ocs_archive.input.file import File
    from ocs_archive.input.filefactory import FileFactory

    with path.open("rb") as stream:
        file = File(stream, str(path))
        data_file = FileFactory.get_datafile_class_for_extension(file.extension)(file)
        header = data_file.get_header_data()
        return (
            header.get_archive_frame_data(),
            header.get_headers(),
            data_file.get_filestore_path(),
            data_file.get_filestore_content_type(),
        )


@pytest.fixture
def ocs_defaults(monkeypatch):
    """Hide settings of this machine from ocs-archive, which reads them when it is imported."""
    from calrecords.datafiles import OCS_SETTINGS

    for name in OCS_SETTINGS:
        monkeypatch.delenv(name, raising=False)


def test_no_real_frame_is_left_out(shared_data):
    assert sorted(p.name for p in (shared_data / "lco").iterdir() if ".fits" in p.name) == sorted(
        FRAMES
    )


@pytest.mark.filterwarnings("ignore")  # ocs-archive leaves astropy's warnings to its caller
@pytest.mark.usefixtures("ocs_defaults")
@pytest.mark.parametrize("name", FRAMES)
def test_describes_a_real_frame_as_ocs_does(shared_data, name):
    path = shared_data / "lco" / name
    record, headers, store_path, content_type = described_by_ocs(path)
    data_file = DataFileFactory().open(path)

    ours = data_file.archive_record()
    assert data_file.header == headers
    assert {k: type(v) for k, v in data_file.header.items()} == {
        k: type(v) for k, v in headers.items()
    }
    assert {k: v for k, v in ours.items() if k not in ONLY_OURS} == {
        k: v for k, v in record.items() if k not in ONLY_OCS
    }
    assert ours["basename"] == name.split(".")[0]
    assert ours["headers"] == headers
    assert ours["area"] is None
    assert data_file.store_key == store_path
    assert data_file.content_type == content_type


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
