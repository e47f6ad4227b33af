"""Reads the import names that a project declares (PEP 794)."""

from __future__ import annotations

from keyword import iskeyword

from twofold_build.table_reader import TableReader, is_dotted_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.diagnostics import Diagnostics
    from twofold_build.model import Project


def read_import_names(reader: TableReader, project: Project, diagnostics: Diagnostics) -> None:
    """Fill the import names and namespaces of `project` and report every mistake."""
    project.import_names = _read_names(reader, "import-names", diagnostics)
    project.import_namespaces = _read_names(reader, "import-namespaces", diagnostics)
    plain = {_strip_mark(name) for name in project.import_names or ()}
    for name in project.import_namespaces or ():
        if _strip_mark(name) not in plain:
            continue
        diagnostics.add(
            f"'{_strip_mark(name)}' is listed as a name and as a namespace (PEP 794)",
            "keep one of the two",
            key="import-namespaces",
            value=name,
        )
    _check_parents(project, diagnostics)


def _read_names(reader: TableReader, key: str, diagnostics: Diagnostics) -> list[str] | None:
    if key not in reader.table:
        return None
    listed = reader.get_strings(key)
    seen: set[str] = set()
    for name in listed:
        plain, mark, private = (part.strip() for part in name.partition(";"))
        if not is_dotted_name(plain) or (mark and private != "private"):
            diagnostics.add(
                f"'{name}' is not an import name (PEP 794)",
                'write a dotted name, followed by "; private" if it is private',
                key=key,
                value=name,
            )
        elif any(iskeyword(part) for part in plain.split(".")):
            diagnostics.add(
                f"'{name}' holds a keyword of Python, which nobody can import",
                "name the module as it is imported",
                key=key,
                value=name,
            )
        elif plain in seen:
            diagnostics.add(
                f"'{plain}' is listed twice (PEP 794)", "remove one", key=key, value=name
            )
        seen.add(plain)
    return listed


def _strip_mark(name: str) -> str:
    return name.partition(";")[0].strip()


def _check_parents(project: Project, diagnostics: Diagnostics) -> None:
    """Every parent of an import name must be listed, as a name or as a namespace (PEP 794)."""
    listed = [*(project.import_names or ()), *(project.import_namespaces or ())]
    plain = {_strip_mark(name) for name in listed}
    for name in listed:
        parent = _strip_mark(name).rpartition(".")[0]
        # What is no name at all is reported already.
        if parent not in plain and is_dotted_name(_strip_mark(name)) and parent:
            plain.add(parent)
            is_name = name in (project.import_names or ())
            diagnostics.add(
                f"'{parent}', the parent of '{name}', is listed nowhere (PEP 794)",
                f'add "{parent}" to import-names, or to import-namespaces if it is only a folder',
                key="import-names" if is_name else "import-namespaces",
                value=name,
            )
