"""The exact code of a run: what of a folder is in its snapshot, its manifest, and putting it back.

`scan` reads a folder, `checkout` writes one, `Manifest` is what travels between the two. Pure but
for these; nothing here speaks to a server.
"""

from runhistory.snapshots.checkout import CheckoutFailed, OpenBlob, checkout
from runhistory.snapshots.manifest import (
    Directory,
    Entry,
    File,
    InvalidManifest,
    Link,
    Manifest,
    SnapshotError,
)
from runhistory.snapshots.tree import Tree, UnfitTree, scan

__all__ = [
    "CheckoutFailed",
    "Directory",
    "Entry",
    "File",
    "InvalidManifest",
    "Link",
    "Manifest",
    "OpenBlob",
    "SnapshotError",
    "Tree",
    "UnfitTree",
    "checkout",
    "scan",
]
