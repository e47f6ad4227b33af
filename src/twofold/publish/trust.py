"""A target's own certificates, for the programs that install from it afterwards.

pip, uv, Python's ssl and py-rattler are told by their environment variables, and each takes one
bundle for all servers: it holds what is trusted here otherwise, too.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Who reads which: pip; OpenSSL, uv and py-rattler.
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE")


@contextmanager
def custom_ca_bundle(ca: str) -> Iterator[None]:
    """Programs started in here, and py-rattler, trust these certificates beside the usual ones."""
    if not ca:
        yield
        return
    before = {name: os.environ.get(name) for name in CA_VARIABLES}
    with tempfile.TemporaryDirectory(prefix="twofold-trust-") as folder:
        bundle = Path(folder, "bundle.pem")
        bundle.write_bytes(
            b"\n".join(_read_certificates(place) for place in [Path(ca), *_find_default_bundles()])
        )
        os.environ.update(dict.fromkeys(CA_VARIABLES, str(bundle)))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _find_default_bundles() -> list[Path]:
    """The bundles in use on this machine: named by variables, by pip's configuration, by OpenSSL,
    and the one that comes with requests."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    named = [os.environ.get(name, "") for name in (*CA_VARIABLES, "REQUESTS_CA_BUNDLE")]
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.cert"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    named += [
        asked.stdout.strip(),
        ssl.get_default_verify_paths().cafile or "",
        DEFAULT_CA_BUNDLE_PATH,
    ]
    return [path for path in map(Path, dict.fromkeys(filter(None, named))) if path.exists()]


def _read_certificates(place: Path) -> bytes:
    """A bundle, or all the certificates of a folder."""
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return b"\n".join(file.read_bytes() for file in files if file.is_file())
