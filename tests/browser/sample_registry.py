"""A registry with one project of every kind that the pages show differently."""

from __future__ import annotations

from pathlib import Path

from tests.factories.packages import make_conda, make_sdist, make_wheel
from tests.server.conftest import Place
from twofold.conda_metadata import CondaPackage
from twofold.formats.conda_writer import CondaWriter
from twofold.server.auth import accounts
from twofold.server.registry import labels, lifecycle
from twofold.server.registry.labels import Selection
from twofold_build.archive import Entry, to_content

README = """\
# Meshwork

![build status](https://example.org/badge.svg) ![](https://example.org/logo.png)

Meshes for finite elements, read and written in *eleven* formats.

## Installation

```console
$ pip install meshwork
```

```python
from meshwork import Mesh

def refine(mesh: Mesh, times: int = 2) -> Mesh:
    # every edge is cut in half
    return mesh.refine(times) if times else mesh
```

| format | read | write | remark with a long sentence in a narrow column |
|---|---|---|---|
| gmsh | yes | yes | versions 2.2 and 4.1 |
| vtk | yes | no | https://example.org/a/very/long/address/that/does/not/break/by/itself.html |

> Meshes are trees that were taught geometry.

1. one
2. two
   - nested
"""

REQUIREMENTS = (
    "Requires-Dist: numpy>=1.24,<3",
    "Requires-Dist: typing-extensions>=4.12; python_version < '3.13'",
    "Requires-Dist: pywin32; sys_platform == 'win32'",
    "Requires-Dist: scipy; extra == 'solve'",
    "Requires-Dist: matplotlib>=3.8; extra == 'plot'",
    "Requires-Dist: pyvista>=0.43; python_version >= '3.12' and extra == 'plot'",
    "Provides-Extra: solve",
    "Provides-Extra: plot",
)

FACTS = (
    "License-Expression: BSD-3-Clause OR Apache-2.0",
    "Requires-Python: >=3.11",
    "Author-email: Ada Lovelace <ada@example.org>, Emmy Noether <emmy@example.org>",
    "Project-URL: Documentation, https://example.org/docs",
    "Project-URL: Source, https://example.org/source",
    "Keywords: mesh,geometry,finite elements",
    "Classifier: Development Status :: 5 - Production/Stable",
    "Classifier: Programming Language :: Python :: 3",
    "Classifier: Topic :: Scientific/Engineering :: Mathematics",
    "Description-Content-Type: text/markdown",
)

PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_28_aarch64",
    "musllinux_1_2_x86_64",
    "macosx_11_0_arm64",
    "win_amd64",
)


def make_native_conda(
    folder: Path, description: object = "Reads **meshes**.\n\nWrites them too.", **info: bytes
) -> Path:
    """A package of compiled code without Python, with everything its metadata can say.

    `info` are further files of info/, their names without the last dot: README_md.
    """
    about = {
        "home": "https://example.org/libmesh",
        "dev_url": "https://example.org/libmesh/source",
        "license": "LGPL-2.1-or-later",
        "summary": "A library of meshes in C",
        "description": description,
    }
    package = CondaPackage(
        "libmesh",
        "2024b",
        build="h1234567_3",
        build_number=3,
        noarch=None,
        subdir="linux-64",
        depends=("__glibc >=2.17", "libstdcxx >=13", "zlib >=1.3,<2"),
        constrains=("libmesh-debug ==2024b",),
        about=about,
        info_files={
            "run_exports.json": b'{"weak": ["libmesh >=2024b,<2025"]}',
            **{name.replace("_", "."): content for name, content in info.items()},
        },
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{package.stem}.conda"
    writer = CondaWriter(path, package)
    writer.add(Entry("lib/libmesh.so"), to_content(b"\x7fELF"))
    writer.close()
    return path


def fill(place: Place, folder: Path) -> None:
    """Publish the samples; three channels: main, a private one, an empty one."""
    assert place.owner.user is not None
    registry, owner = place.registry, place.owner
    long_summary = (
        "Summary: Meshes for finite elements, with refinement, colouring and eleven formats"
    )
    for version in ("1.0", "1.1", "1.2", "2.0rc1"):
        more = (*FACTS, *REQUIREMENTS, "", README)
        place.publish(make_wheel(folder, "Meshwork", version, *more))
        place.publish(make_sdist(folder, "Meshwork", version))
    for platform in PLATFORMS:
        for python in ("cp312-cp312", "cp313-cp313"):
            tag = f"{python}-{platform}"
            place.publish(make_wheel(folder, "meshwork", "1.2", *FACTS, *REQUIREMENTS, tag=tag))
    lifecycle.yank(registry, owner, "main", "meshwork", "1.1", "colours are wrong")
    place.publish(make_wheel(folder, "numpy", "2.1.0", long_summary))
    place.publish(make_wheel(folder, "typing_extensions", "4.12.0rc1"))
    place.publish(make_wheel(folder, "scipy", "1.14.0", "Requires-Dist: numpy>=1.24"))
    place.publish(make_native_conda(folder))
    place.publish(make_conda(folder, "rope-ladder", "0.3"))
    place.publish(make_wheel(folder, "a" + "-very" * 12 + "-long-name", "2024.12.31.post1"))
    labels.add_label(registry, owner, "main", "dev", Selection("numpy"))
    place.publish(make_wheel(folder, "archived-thing", "1.0"))
    lifecycle.set_status(registry, owner, "main", "archived-thing", "archived", "see meshwork")
    place.publish(make_wheel(folder, "quarantined-thing", "1.0"))
    lifecycle.set_status(registry, owner, "main", "quarantined-thing", "quarantined", "malware")
    accounts.add_channel(registry, "owner", "secret", place.owner.user, public=False)
    accounts.add_channel(registry, "owner", "empty", place.owner.user)
    place.publish(make_wheel(folder, "hidden-tool", "1.0"), channel="secret")
