"""An object store for measuring: the part of S3's protocol that the registry uses, from memory.

    python benchmarks/registry_objects.py

Prints its endpoint. Signatures are not looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
from urllib.parse import parse_qs, urlsplit

OBJECTS: dict[str, bytes] = {}

#: Path -> part number -> bytes of an upload in parts.
PARTS: dict[str, dict[int, bytes]] = {}

_EMPTY_LIST = b'<?xml version="1.0"?><ListBucketResult></ListBucketResult>'


def respond(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
    """(status, body, ETag)."""
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    if "uploads" in query:
        PARTS[parts.path] = {}
        return 200, b"<X><UploadId>1</UploadId></X>", ""
    if method == "PUT" and "partNumber" in query:
        PARTS[parts.path][int(query["partNumber"][0])] = body
        return 200, b"", hashlib.md5(body).hexdigest()
    if method == "POST" and "uploadId" in query:
        OBJECTS[parts.path] = b"".join(part for _, part in sorted(PARTS.pop(parts.path).items()))
        return 200, b"<X><ETag>0</ETag></X>", ""
    if method == "PUT":
        OBJECTS[parts.path] = body
        return 200, b"", hashlib.md5(body).hexdigest()
    if "list-type" in query:
        return 200, _EMPTY_LIST, ""
    found = OBJECTS.get(parts.path)
    if method == "DELETE":
        OBJECTS.pop(parts.path, None)
        return 204, b"", ""
    if found is None:
        return 404, b"", ""
    wanted = headers.get("range")
    if wanted:
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        return 206, found[int(first) : int(last) + 1], "0"
    return 200, found, "0"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        method, path, _ = line.decode("latin-1").split()
        headers = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        status, answer, etag = respond(method, path, headers, body)
        head = f"HTTP/1.1 {status} OK\r\nContent-Length: {len(answer)}\r\n"
        head += "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        if status == 206:
            size = len(OBJECTS[urlsplit(path).path])
            head += f"Content-Range: {headers['range'].replace('=', ' ')}/{size}\r\n"
        if etag:
            head += f'ETag: "{etag}"\r\n'
        writer.write(head.encode() + b"\r\n" + (b"" if method == "HEAD" else answer))
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
