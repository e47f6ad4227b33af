"""Renders the generated files of .dist-info: METADATA (and PKG-INFO), WHEEL, RECORD and others.

Core metadata 2.2 to 2.5, the wheel format of PEP 427 and 491, RECORD of PEP 376.
"""

from __future__ import annotations

from binascii import b2a_base64

from twofold_build import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from twofold_build.archive import Content
    from twofold_build.model import Person, Project


TAG = "py3-none-any"
#: The compressor is not named here: it may change the bytes of the file, never its content.
WHEEL = f"""\
Wheel-Version: 1.0
Generator: twofold-build
Root-Is-Purelib: true
Tag: {TAG}
""".encode()


def render_metadata(
    project: Project, import_names: list[str], import_namespaces: list[str]
) -> bytes:
    """Render the core metadata, in the lowest version that its content needs.

    `import_names` and `import_namespaces` are the fields of PEP 794; empty lists omit them. 2.2
    is the minimum: from there on an installer may rely on an sdist's metadata.
    """
    fields = list(_fields(project))
    fields += [("Import-Name", name) for name in import_names]
    fields += [("Import-Namespace", name) for name in import_namespaces]
    lines = [f"Metadata-Version: {_find_lowest_version(project, fields)}"]
    lines += [f"{key}: {value}" if value else f"{key}:" for key, value in fields]
    text = "\n".join(lines) + "\n"
    if project.readme_text:
        text += "\n" + project.readme_text.replace("\r\n", "\n")
        if not text.endswith("\n"):
            text += "\n"
    return text.encode()


def _find_lowest_version(project: Project, fields: list[tuple[str, str]]) -> str:
    keys = {key for key, _ in fields}
    if keys & {"Import-Name", "Import-Namespace"}:
        return "2.5"
    if keys & {"License-Expression", "License-File"}:
        return "2.4"
    return "2.3" if project.optional_dependencies else "2.2"


def _fields(project: Project) -> Iterator[tuple[str, str]]:
    yield "Name", project.name
    yield "Version", project.version
    if project.description:
        yield "Summary", project.description
    if project.keywords:
        yield "Keywords", ",".join(project.keywords)
    yield from _render_people("Author", project.authors)
    yield from _render_people("Maintainer", project.maintainers)
    if project.license:
        yield "License-Expression", project.license
    if project.license_text:
        yield "License", "\n        ".join(project.license_text.strip().splitlines())
    for path in project.license_files:
        yield "License-File", path
    for classifier in project.classifiers:
        yield "Classifier", classifier
    for requirement in project.dependencies:
        yield "Requires-Dist", names.canonicalize_requirement(requirement)
    if project.requires_python:
        yield "Requires-Python", project.requires_python
    for label, address in project.urls.items():
        yield "Project-URL", f"{label}, {address}"
    yield from _render_extras(project)
    if project.readme_type:
        yield "Description-Content-Type", _content_type(project.readme_type)


def _render_extras(project: Project) -> Iterator[tuple[str, str]]:
    for extra, listed in project.optional_dependencies.items():
        yield "Provides-Extra", extra
        for requirement in listed:
            yield "Requires-Dist", names.add_extra_marker(requirement, extra)


def _content_type(written: str) -> str:
    return written if "charset" in written else f"{written}; charset=UTF-8"


def _render_people(role: str, people: list[Person]) -> Iterator[tuple[str, str]]:
    """Yield the fields of people (PEP 621): Author for a bare name, Author-email with address."""
    bare = [person.name for person in people if person.name and not person.email]
    if bare:
        yield role, ", ".join(bare)
    mailed = [_render_mailbox(person) for person in people if person.email]
    if mailed:
        yield f"{role}-email", ", ".join(mailed)


def _render_mailbox(person: Person) -> str:
    if not person.name:
        return person.email
    if any(mark in person.name for mark in '()<>[]:;@\\,."'):
        escaped = person.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{person.email}>'
    return f"{person.name} <{person.email}>"


def render_entry_points(project: Project) -> bytes:
    """Render entry_points.txt, groups and names sorted; b'' without entry points."""
    text = ""
    for group in sorted(project.entry_points):
        listed = project.entry_points[group]
        if listed:
            text += f"[{group}]\n"
            text += "".join(f"{name} = {listed[name].strip()}\n" for name in sorted(listed)) + "\n"
    return text.encode()


class Record:
    """RECORD, line by line: path, SHA-256 and size of every other file of the wheel."""

    def __init__(self, stem: str) -> None:
        self._own = f"{stem}.dist-info/RECORD"
        self._lines: list[str] = []

    def add(self, path: str, content: Content) -> None:
        """Add the line of a file."""
        self._lines.append(format_record_line(path, content.sha256, len(content.data)))

    def render(self) -> bytes:
        """Return the whole file, its own line last."""
        return ("".join(self._lines) + f"{self._own},,\n").encode()


def format_record_line(path: str, sha256: bytes, size: int) -> str:
    """Return a file's line in RECORD; `sha256` is raw, `size` in bytes."""
    digest = b2a_base64(sha256, newline=False).rstrip(b"=").decode()
    digest = digest.replace("+", "-").replace("/", "_")
    if any(mark in path for mark in ',"\n\r'):
        path = '"' + path.replace('"', '""') + '"'
    return f"{path},sha256={digest},{size}\n"
