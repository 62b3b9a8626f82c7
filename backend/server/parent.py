"""Whether the process that started us is still there, so that nothing is left behind when it dies."""

from __future__ import annotations

import os
import sys


class ParentWatch:
    """Watches one process id. Cheap: call `gone()` as often as once a loop."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._is_parent = os.getppid() == pid

    def gone(self) -> bool:
        if sys.platform == "win32":
            return not _runs_on_windows(self._pid)
        if self._is_parent:  # exact even while the dead parent is a zombie, or its id is used again
            return os.getppid() != self._pid
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def _runs_on_windows(pid: int) -> bool:
    """os.kill would end the process there."""
    import ctypes

    synchronize, wait_timeout = 0x00100000, 0x102
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(synchronize, False, pid)
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == wait_timeout)
    finally:
        kernel.CloseHandle(handle)
