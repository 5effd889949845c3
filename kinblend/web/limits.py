"""What one client, and all of them together, may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Every number that keeps the app polite and small.

    Sizes are bytes, times seconds.
    """

    file_bytes: int = 10 * 2**20
    request_bytes: int = 25 * 2**20
    json_bytes: int = 2**20  # of a request that brings no photograph
    part_headers: int = 8  # of a part of a form …
    part_header_bytes: int = 2048  # … each so long: 16 KB together
    pixels: int = 8192 * 6144  # what cameras call fifty megapixels
    kept_pixels: int = 16_000_000  # of a larger photograph, made smaller by a whole number
    waiting: int = 16  # jobs in the queue
    job_seconds: float = 300.0  # that one of them may take
    steps: int = 100  # that a strategy may take which seeks by looking at pictures
    megapixels: float = 200.0  # of all pictures of an order: children × steps × width × height
    parts: int = 16  # of a form
    uploads_bytes: int = 128 * 2**20  # of all bodies that are on their way or being read
    body_seconds: float = 60.0  # that a body may take to come
    header_seconds: float = 10.0  # that the head of a request may take
    connections: int = 500  # at once
    requests_per_second: float = 20.0  # of one client, in the long run
    burst: float = 80.0  # of one client, at once
    address_share: float = 4.0  # times what one client may ask for: all that come from its address
    lifetime: float = 900.0  # since a thing was last used
    photos_each: int = 24  # kept for one client
    orders_each: int = 24
    people: int = 24  # of a family tree
    store_bytes: int = 2**30  # of all clients
