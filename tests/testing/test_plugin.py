import subprocess
import sys

PIPELINE_TEST = """
from calrecords.datafiles.synthetic import write_synthetic_frame

def test_a_pipeline_keeps_its_master(science_archive, calibration_records, tmp_path):
    path = write_synthetic_frame(tmp_path)
    result = calibration_records.ingest(path, is_master=True)
    assert [frame["id"] for frame in science_archive.frames()] == [result.frame_id]
    assert calibration_records.fetch(result).read_bytes() == path.read_bytes()
"""


def test_a_pipelines_own_tests_get_the_fixtures_by_installing_calrecords(tmp_path):
    (tmp_path / "test_pipeline.py").write_text(PIPELINE_TEST)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "test_pipeline.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
