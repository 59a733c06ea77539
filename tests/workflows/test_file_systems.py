"""The file system of a file is the one that is mounted nearest above it."""

import pytest

from calrecords.workflows.file_systems import file_system_of, is_network

MOUNTINFO = r"""
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
22 21 0:40 / /mnt/data rw,relatime shared:2 master:3 - nfs4 server:/export rw,vers=4.2
23 22 0:41 / /mnt/data/scratch rw - xfs /dev/vdb rw
24 21 0:42 / /mnt/two\040words rw - fuse.sshfs ana@host:/ rw
25 21 0:43 / /mnt/over rw - xfs /dev/vdc rw
26 25 0:44 / /mnt/over rw - cifs //server/share rw
half a line
27 21 0:45 / /mnt/none
"""


@pytest.fixture
def mounts(tmp_path):
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTINFO)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/data/records.sqlite", "nfs4"),
        ("/mnt/data", "nfs4"),
        ("/mnt/data2/records.sqlite", "ext4"),
        ("/mnt/data/scratch/a/b", "xfs"),
        ("/mnt/data/scratch/../b", "nfs4"),
        ("/mnt/two words/x", "fuse.sshfs"),
        ("/mnt/over/x", "cifs"),
        ("/mnt/none/x", "ext4"),
    ],
)
def test_a_file_is_on_what_is_mounted_nearest_above_it(path, kind, mounts, tmp_path):
    assert file_system_of(tmp_path / path, mounts) == kind


def test_a_link_is_on_what_it_leads_to(mounts, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("/mnt/data/records.sqlite")
    assert file_system_of(link, mounts) == "nfs4"


def test_where_mounts_are_not_listed_nothing_is_said(tmp_path):
    assert file_system_of(tmp_path, tmp_path / "no such file") is None
    (tmp_path / "empty").touch()
    assert file_system_of(tmp_path, tmp_path / "empty") is None


def test_this_machine_lists_its_mounts(tmp_path):
    kind = file_system_of(tmp_path)
    assert kind is None or kind.isprintable()


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        *((kind, True) for kind in ("nfs", "nfs4", "cifs", "smb3", "9p", "lustre", "ceph")),
        *((kind, True) for kind in ("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs")),
        *((kind, False) for kind in ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs")),
        *((kind, False) for kind in ("fuseblk", "fuse", "fuse.mergerfs")),
    ],
)
def test_what_machines_share_over_a_network_is_told_from_the_rest(kind, network):
    assert is_network(kind) is network
