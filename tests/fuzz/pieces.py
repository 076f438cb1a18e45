"""Cut bytes into reads, as told by bytes of the input itself."""

import re
from itertools import pairwise


def cut(data: bytes, count: int, seed: int) -> list[bytes]:
    """`data` in `count` pieces at places that depend on `seed`.

    0 stands for single bytes, 7 for a cut after every empty line and, by `seed`, after bodies.
    """
    if not count:
        return [data[at : at + 1] for at in range(len(data))]
    if count == 7:
        return _at_empty_lines(data, after_bodies=bool(seed % 2))
    places, state = [], seed + 1
    for _ in range(count - 1):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        places.append((state >> 8) % (len(data) + 1))
    return [data[a:b] for a, b in pairwise([0, *sorted(places), len(data)])]


def _at_empty_lines(data: bytes, *, after_bodies: bool) -> list[bytes]:
    places = {found.end() for found in re.finditer(rb"\r\n\r\n", data)}
    if after_bodies:
        places = {found.start() for found in re.finditer(rb"[A-Z]+ \S+ HTTP/", data)}
    return [data[a:b] for a, b in pairwise([0, *sorted(places - {0}), len(data)])]


def take(data: bytes, choices: int) -> tuple[int, bytes]:
    """The first byte as one of so many choices (a digit stands for itself), and the rest."""
    return (data[0] - 48) % choices if data else 0, data[1:]


def take_pieces(data: bytes) -> tuple[bytes, list[bytes]]:
    """The first two bytes tell how the rest is cut."""
    count, data = take(data, 8)
    seed, data = take(data, 256)
    return data, cut(data, count, seed)
