"""An editable wheel (PEP 660): a static .pth that names the folder imports start from.

A plain path, and no code run at start-up, is what Pylance, mypy and other readers understand.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.build import BuildPlan


def make_editable(plan: BuildPlan) -> None:
    """Turn a wheel's plan into the editable one: the modules are left where they are.

    Data, scripts, licences and SBOM files (all below .data and .dist-info) are packed as ever.
    """
    stem = plan.project.file_stem
    inside = (f"{stem}.data/", f"{stem}.dist-info/")
    for file in plan.pack.files:
        file.wheel = [path for path in file.wheel if path.startswith(inside)]
    source = os.path.join(plan.project.root, plan.pack.source).rstrip("/\\")
    plan.made_at_root[f"_{stem.rpartition('-')[0]}.pth"] = f"{source}\n".encode()
