"""An index as PyPI answers: the legacy upload API at /legacy/, pages in JSON at /simple/."""

from __future__ import annotations

import base64
import hashlib

from tests.servers.package_servers import TOKEN, FakeServer


class WarehouseServer(FakeServer):
    """Takes a file once; the same bytes again are no error, others under its name are."""

    def do_POST(self) -> None:
        fields = self.form()
        login = base64.b64encode(f"__token__:{TOKEN}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            return self.send_answer(403, data=b"Invalid or non-existent authentication")
        if self.path_only != "/legacy/":
            return self.send_answer(404)
        data = fields["content"]
        if hashlib.sha256(data).hexdigest() != fields["sha256_digest"].decode():
            return self.send_answer(400, data=b"The digest supplied does not match")
        project = fields["name"].decode().lower().replace("_", "-")
        name = f"/files/{project}/{self.file_name}"
        if self.store.files.get(name, data) != data:
            digest = hashlib.blake2b(self.store.files[name], digest_size=32).hexdigest()
            text = f"400 File already exists ('{self.file_name}', with blake2_256 hash '{digest}')."
            return self.send_answer(400, data=text.encode())
        if name not in self.store.files:
            self.store.put(name, data)
        return self.send_answer(200, data=b"")

    def do_GET(self) -> None:
        if self.path_only.startswith("/files/"):
            return self.send_stored(self.path_only)
        project = self.path_only.removeprefix("/simple/").strip("/")
        names = [n for n in self.store.files if n.startswith(f"/files/{project}/")]
        if not names:
            return self.send_answer(404)
        files = [
            {
                "filename": name.rpartition("/")[2],
                "url": name,
                "hashes": {"sha256": hashlib.sha256(self.store.files[name]).hexdigest()},
            }
            for name in names
        ]
        page = {"meta": {"api-version": "1.1"}, "name": project, "versions": [], "files": files}
        return self.send_answer(200, page)

    do_HEAD = do_GET
