"""Files that are mounted one by one, which is how a certificate that is renewed outside never gets in.

Kubernetes mounts a secret as a directory with symbolic links and renews it by changing one link. With `subPath` it
mounts what the link led to when the container started: that file stays as it is, however often the secret changes. A
single file that docker mounts (`-v file:file`) is also what the name led to at the start; it is seen changing only if
it is written in place and not replaced.

What the kernel tells of it is in /proc/self/mountinfo (proc(5)): the fourth field is the directory or file of its file
system that is mounted (the root), the fifth where (the mount point).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

_OCTAL = re.compile(r"\\([0-7]{3})")
# What the kubelet calls the directory that its link leads to: ..2025_11_21_21_00_00.1234567890
_GENERATION = re.compile(r"\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+")
_KUBELET = ("volume-subpaths", "kubernetes.io~secret", "kubernetes.io~configmap", "kubernetes.io~projected")


class MountKind(Enum):
    """How a file comes to be where it is."""

    SUB_PATH = "subPath"
    """Kubernetes has mounted it by subPath; it never changes."""
    FILE = "file"
    """It is mounted by itself; it does not change if it is replaced outside."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo.

    Args:
        root: what is mounted, within its file system.
        point: where it is mounted.
    """

    root: PurePosixPath
    point: PurePosixPath


def read_mountinfo(content: str) -> list[Mount]:
    """Read mountinfo. Lines that it should not have are skipped.

    Args:
        content: what /proc/self/mountinfo says.
    """
    lines = (line.split(" ") for line in content.splitlines())
    return [Mount(_path(fields[3]), _path(fields[4])) for fields in lines if len(fields) > 4]


def mount_kind(path: str, mountinfo: str) -> MountKind | None:
    """Whether a file is mounted in a way that keeps its renewal from it; None for any ordinary file.

    Args:
        path: the file's absolute path, without symbolic links.
        mountinfo: what /proc/self/mountinfo says.
    """
    file = PurePosixPath(path)
    holding = [mount for mount in read_mountinfo(mountinfo) if file.is_relative_to(mount.point)]
    if not holding:
        return None
    # The innermost; of two in the same place the later one is on top.
    mount = max(enumerate(holding), key=lambda each: (len(each[1].point.parts), each[0]))[1]
    if any(_GENERATION.fullmatch(part) for part in mount.root.parts):
        return MountKind.SUB_PATH
    if mount.point != file:
        return None
    return MountKind.SUB_PATH if any(part in _KUBELET for part in mount.root.parts) else MountKind.FILE


def _path(field: str) -> PurePosixPath:
    return PurePosixPath(_OCTAL.sub(lambda match: chr(int(match[1], 8)), field))
