"""Identity-card photos as files: download (from a URL to checked bytes) and store (from bytes to a named file).

Which URL may be downloaded at all is decided by `skynet_assets.parsing.photos`; what the tables say of a photo is
written by its asset. Nothing here knows a database.
"""
