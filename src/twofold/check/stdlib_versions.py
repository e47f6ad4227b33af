"""What came with which Python: modules and names of the standard library, and what has left it.

From the "New in version" and "Removed in version" remarks of Python's own documentation. The
numbers are minor versions: 11 is Python 3.11. `tests/check/test_python_news.py` compares the
table with the interpreter that runs the tests.
"""

from __future__ import annotations

#: Dotted module -> the minor version it came with.
MODULES = {
    "annotationlib": 14,
    "asyncio.taskgroups": 11,
    "asyncio.timeouts": 11,
    "compression": 14,
    "concurrent.interpreters": 14,
    "contextvars": 7,
    "dataclasses": 7,
    "graphlib": 9,
    "importlib.metadata": 8,
    "importlib.resources": 7,
    "importlib.resources.abc": 11,
    "pathlib.types": 14,
    "string.templatelib": 14,
    "tomllib": 11,
    "wsgiref.types": 11,
    "zoneinfo": 9,
}

#: Top-level module -> the minor version that no longer has it.
REMOVED = {
    **dict.fromkeys(("asynchat", "asyncore", "distutils", "imp", "smtpd"), 12),
    **dict.fromkeys(
        (
            "aifc",
            "audioop",
            "cgi",
            "cgitb",
            "chunk",
            "crypt",
            "imghdr",
            "lib2to3",
            "mailcap",
            "msilib",
            "nis",
            "nntplib",
            "ossaudiodev",
            "pipes",
            "sndhdr",
            "spwd",
            "sunau",
            "telnetlib",
            "uu",
            "xdrlib",
        ),
        13,
    ),
}

_NAMES = """
    asyncio 9 to_thread
    asyncio 11 Barrier BrokenBarrierError Runner TaskGroup timeout timeout_at
    asyncio 12 create_eager_task_factory eager_task_factory
    asyncio 13 QueueShutDown
    calendar 12 Day Month
    collections.abc 12 Buffer
    concurrent.futures 14 InterpreterPoolExecutor
    contextlib 10 aclosing
    contextlib 11 chdir
    copy 13 replace
    dataclasses 10 KW_ONLY
    datetime 11 UTC
    enum 11 EnumCheck EnumType FlagBoundary ReprEnum StrEnum global_enum member nonmember verify
    enum 13 EnumDict
    functools 8 cached_property singledispatchmethod
    functools 9 cache
    functools 14 Placeholder
    glob 13 translate
    hashlib 11 file_digest
    heapq 14 heapify_max heappop_max heappush_max
    inspect 10 get_annotations
    inspect 12 BufferFlags markcoroutinefunction
    itertools 10 pairwise
    itertools 12 batched
    logging 11 getLevelNamesMapping
    logging 12 getHandlerByName getHandlerNames
    math 8 comb dist isqrt perm prod
    math 9 lcm nextafter ulp
    math 11 cbrt exp2
    math 12 sumprod
    math 13 fma
    operator 11 call
    operator 14 is_none is_not_none
    os 13 process_cpu_count
    queue 13 ShutDown
    random 12 binomialvariate
    sqlite3 11 Blob
    statistics 10 correlation covariance linear_regression
    statistics 13 kde kde_random
    types 9 GenericAlias
    types 10 EllipsisType NoneType NotImplementedType UnionType
    types 12 get_original_bases
    types 13 CapsuleType
    typing 8 Final Literal Protocol SupportsIndex TypedDict final get_args get_origin
    typing 8 runtime_checkable
    typing 9 Annotated
    typing 10 Concatenate ParamSpec ParamSpecArgs ParamSpecKwargs TypeAlias TypeGuard is_typeddict
    typing 11 LiteralString Never NotRequired Required Self TypeVarTuple Unpack assert_never
    typing 11 assert_type clear_overloads dataclass_transform get_overloads reveal_type
    typing 12 TypeAliasType override
    typing 13 NoDefault ReadOnly TypeIs get_protocol_members is_protocol
    typing 14 evaluate_forward_ref
    unittest 8 IsolatedAsyncioTestCase
    unittest 11 enterModuleContext
    uuid 14 uuid6 uuid7 uuid8
    warnings 13 deprecated
    zipfile 8 Path
"""

#: (module, name imported from it) -> the minor version it came with.
NAMES = {
    (module, name): int(minor)
    for module, minor, *names in map(str.split, _NAMES.strip().splitlines())
    for name in names
}

_TOPS = {module.partition(".")[0] for module in (*MODULES, *(module for module, _ in NAMES))}

#: Built-in name -> the minor version it came with.
BUILTINS = {
    "BaseExceptionGroup": 11,
    "EncodingWarning": 10,
    "ExceptionGroup": 11,
    "PythonFinalizationError": 13,
    "aiter": 10,
    "anext": 10,
}


def first_minor(module: str, names: tuple[str, ...]) -> tuple[int, str]:
    """The minor version that `from module import names` needs, and which part of it needs that.

    (0, '') when everything has always been there.
    """
    parts = module.split(".")
    if parts[0] not in _TOPS:
        return 0, ""
    needed, what = 0, ""
    for length in range(1, len(parts) + 1):
        dotted = ".".join(parts[:length])
        if MODULES.get(dotted, 0) > needed:
            needed, what = MODULES[dotted], dotted
    for name in names:
        minor = max(NAMES.get((module, name), 0), MODULES.get(f"{module}.{name}", 0))
        if minor > needed:
            needed, what = minor, f"{module}.{name}"
    return needed, what
