"""Files that are mounted one by one, told from what the kernel says of mounts."""

from __future__ import annotations

import pytest

from aiomongo_tls.doctor.mounts import MountKind, mount_kind

ROOT = "21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
# A secret as it should be: a directory on a file system of its own, in which links are changed.
SECRET = ROOT + "30 21 0:50 / /etc/tls ro,relatime - tmpfs tmpfs rw,size=16k\n"
# The same by subPath: what the link led to at the start, mounted over one file.
SUB_PATH = ROOT + "30 21 0:50 /..2025_11_21_21_00_00.1234567/tls.crt /etc/tls/tls.crt ro - tmpfs tmpfs rw\n"
SUB_PATH_OF_CONFIGMAP = ROOT + (
    "31 21 8:1 /var/lib/kubelet/pods/1-2/volumes/kubernetes.io~configmap/ca/..2025_11_21_21_00_00.1234567/ca.crt "
    "/etc/tls/tls.crt ro - ext4 /dev/sda1 rw\n"
)
SUB_PATH_OF_DISK = ROOT + (
    "32 21 8:1 /var/lib/kubelet/pods/1-2/volume-subpaths/certs/app/0 /etc/tls/tls.crt rw - ext4 /dev/sda1 rw\n"
)
SUB_PATH_OF_A_DIRECTORY = ROOT + "33 21 0:50 /..2025_11_21_21_00_00.1234567/client /etc/tls ro - tmpfs tmpfs rw\n"
DOCKER = ROOT + "34 21 8:1 /home/ada/tls.crt /etc/tls/tls.crt rw - ext4 /dev/sda1 rw\n"
A_DIRECTORY = ROOT + "35 21 8:1 /home/ada/tls /etc/tls rw - ext4 /dev/sda1 rw\n"


@pytest.mark.parametrize(
    ("mountinfo", "expected"),
    [
        ("", None),
        (ROOT, None),
        (SECRET, None),
        (A_DIRECTORY, None),
        (SUB_PATH, MountKind.SUB_PATH),
        (SUB_PATH_OF_CONFIGMAP, MountKind.SUB_PATH),
        (SUB_PATH_OF_DISK, MountKind.SUB_PATH),
        (SUB_PATH_OF_A_DIRECTORY, MountKind.SUB_PATH),
        (DOCKER, MountKind.FILE),
    ],
)
def test_a_file_and_its_mount(mountinfo: str, expected: MountKind | None) -> None:
    """A directory follows its renewal; a subPath never, and a single file only if it is not replaced."""
    assert mount_kind("/etc/tls/tls.crt", mountinfo) is expected


def test_other_files_are_not_concerned() -> None:
    """The file beside the one that is mounted is an ordinary one, also if its name begins the same."""
    assert mount_kind("/etc/tls/tls.crt.bak", SUB_PATH) is None
    assert mount_kind("/etc/tls/ca.crt", SUB_PATH) is None


def test_what_is_mounted_on_top_counts() -> None:
    """The innermost mount, and of two in one place the later one."""
    over = SUB_PATH_OF_A_DIRECTORY + "36 33 0:51 / /etc/tls rw - tmpfs tmpfs rw\n"
    assert mount_kind("/etc/tls/tls.crt", over) is None


def test_blanks_in_a_path() -> None:
    r"""The kernel writes a blank as \040."""
    mountinfo = ROOT + "34 21 8:1 /home/a\\040b /etc/my\\040tls/tls.crt rw - ext4 /dev/sda1 rw\n"
    assert mount_kind("/etc/my tls/tls.crt", mountinfo) is MountKind.FILE


def test_lines_that_should_not_be_there() -> None:
    """A line with too few fields is no mount."""
    assert mount_kind("/etc/tls/tls.crt", "nonsense\n\n1 2 3 4\n" + DOCKER) is MountKind.FILE
