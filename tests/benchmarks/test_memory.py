"""How much memory a large frame takes, beyond what a small one takes.

Run with: python -m pytest tests/benchmarks/test_memory.py --benchmark-enable
"""

from astropy.io import fits

MIB = 1 << 20
BLOCK_BYTES = 2880
MOST_MORE = 64 * MIB

INGEST_AND_FETCH = """
import calrecords

began = time.perf_counter()
with calrecords.connect() as cal:
    for path in paths:
        frame = cal.ingest(path).frame
        for source in ("store", "archive"):
            assert cal.fetch(frame, source=source).stat().st_size == os.path.getsize(path)
seconds = time.perf_counter() - began
"""


def grown(path, size):
    """Return a frame made longer; its pixels are zero, and it has no checksum."""
    header = fits.getheader(path)
    header.remove("CHECKSUM")
    header.remove("DATASUM")
    header["NAXIS1"], header["NAXIS2"] = BLOCK_BYTES // 2, size // BLOCK_BYTES
    with path.open("wb") as file:
        file.write(header.tostring().encode())
        file.truncate(file.tell() + size // BLOCK_BYTES * BLOCK_BYTES)
    return path


def test_memory_is_flat_however_big_the_file_is(make_bench, make_frames, benchmark, is_enabled):
    small, large = make_frames(2, MIB)
    size = 1024 * MIB if is_enabled else 128 * MIB
    grown(large, size)
    little = make_bench().run(INGEST_AND_FETCH, [small])["peak_bytes"]
    much = benchmark.pedantic(make_bench().run, args=(INGEST_AND_FETCH, [large]), rounds=1)
    more = much["peak_bytes"] - little
    benchmark.extra_info.update(file_bytes=size, small_peak_bytes=little, more_bytes=more)
    assert more < MOST_MORE
