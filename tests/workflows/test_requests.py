"""How often the archive is asked; both stores, the archive as it is released."""

from urllib.parse import urlsplit


def asked(world):
    return [(method, urlsplit(path).path) for method, path in world.archive.requests]


def test_a_new_frame_costs_two_requests_beside_one_for_observation_types(world, make_frame):
    with world.connect() as cal:
        for number in range(1, 4):
            cal.ingest(make_frame(is_master=False, seed=number))
    one = [("GET", "/frames/"), ("POST", "/frames/")]
    assert asked(world) == [("OPTIONS", "/frames/"), *one, *one, *one]
    assert world.archive.connections == 1


def test_what_is_recorded_costs_no_request(world, make_frame):
    path = make_frame()
    with world.connect() as cal:
        frame = cal.ingest(path, is_master=True).frame
        cal.fetch(frame, source="archive")
        world.archive.clear_requests()
        cal.ingest(path, is_master=True)
        assert cal.get(frame_id=frame.frame_id) == cal.get(basename=frame.basename) == frame
        cal.query(obstype="BIAS")
        cal.fetch(frame)
        cal.open(frame).close()
    assert asked(world) == []


def test_bytes_come_from_the_store_without_the_archive(world, make_frame):
    with world.connect() as cal:
        frame = cal.ingest(make_frame(), is_master=True).frame
        world.archive.clear_requests()
        cal.fetch(frame)
    assert asked(world) == []


def test_looking_up_a_hundred_ids_uses_one_connection(world, make_frame):
    with world.connect() as cal:
        frame_id = cal.ingest(make_frame(), is_master=True).frame_id
        world.archive.clear_requests()
        for _ in range(100):
            assert cal.lookup(frame_id).frame_id == frame_id
    assert asked(world) == [("GET", f"/frames/{frame_id}/")] * 100
    assert world.archive.connections <= 1
