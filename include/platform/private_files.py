"""Files that only their owner may read: passwords, keys, connection strings."""

from __future__ import annotations

import os
from pathlib import Path

from include.platform.account import Account


def write_private(path: Path, text: str, owner: Account | None = None) -> None:
    """Write ``text`` with mode 0600, whole or not at all; the file is ``owner``'s, if given."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    if owner is not None:
        os.chown(temporary, owner.uid, owner.gid)
    temporary.replace(path)
