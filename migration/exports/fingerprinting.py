"""A cheap identity of an export folder: what a sensor compares from tick to tick without reading the files."""

import hashlib

from upath import UPath

MANIFEST = "manifest.json"


def listing_hash(folder: UPath) -> str:
    """The hash of an export's manifest or, without one, of its files' names, sizes and times of change."""
    manifest = folder / MANIFEST
    if manifest.exists():
        return hashlib.sha256(manifest.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir(), key=lambda p: p.name):
        facts = path.stat()
        digest.update(f"{path.name}|{facts.st_size}|{facts.st_mtime}\n".encode())
    return digest.hexdigest()
