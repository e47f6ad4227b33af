"""Opens files that may be moved or deleted while they are open.

POSIX lets them. Windows refuses it, unless each of the open files was opened so.
"""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import ctypes
    import msvcrt

    _ACCESS = {os.O_RDONLY: 0x80000000, os.O_RDWR: 0xC0000000}  # GENERIC_READ, and GENERIC_WRITE
    _SHARE_ALL = 0x7  # reading, writing, deleting
    _CREATE_ALWAYS, _OPEN_EXISTING, _OPEN_ALWAYS = 2, 3, 4
    _NORMAL = 0x80

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.CreateFileW.restype = ctypes.c_void_p
    _INVALID = ctypes.c_void_p(-1).value

    def open_shared(path: str | os.PathLike[str], flags: int) -> int:
        """Open a file for bytes: O_RDONLY or O_RDWR, with O_CREAT and O_TRUNC. Raises OSError."""
        how = _OPEN_EXISTING
        if flags & os.O_CREAT:
            how = _CREATE_ALWAYS if flags & os.O_TRUNC else _OPEN_ALWAYS
        access = _ACCESS[flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)]
        name = os.fspath(path)
        handle = _kernel.CreateFileW(name, access, _SHARE_ALL, None, how, _NORMAL, None)
        if handle == _INVALID:
            error = ctypes.WinError(ctypes.get_last_error())
            error.filename = name
            raise error
        return msvcrt.open_osfhandle(handle, os.O_BINARY | os.O_NOINHERIT)

else:

    def open_shared(path: str | os.PathLike[str], flags: int) -> int:
        """Open a file for bytes: O_RDONLY or O_RDWR, with O_CREAT and O_TRUNC. Raises OSError."""
        return os.open(path, flags, 0o600)
