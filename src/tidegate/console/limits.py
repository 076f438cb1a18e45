"""A bounded, in-memory limit on failed attempts per peer. Only failures cost anything."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address


class FailureLimit:
    """A token bucket per peer. When `peers` are remembered the longest quiet one is forgotten."""

    def __init__(
        self, *, burst: int, per_minute: int, clock: Callable[[], float], peers: int = 10_000
    ) -> None:
        self._burst = float(burst)
        self._refill_per_s = per_minute / 60
        self._clock = clock
        self._peers = peers
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # left, at

    def wait_s(self, peer: str) -> int:
        """Seconds until the peer may try again, 0 if it may now."""
        left = self._left(_network(peer))
        return 0 if left >= 1 else int((1 - left) / self._refill_per_s) + 1

    def failed(self, peer: str) -> None:
        network = _network(peer)
        self._buckets[network] = (max(0.0, self._left(network) - 1), self._clock())
        self._buckets.move_to_end(network)
        if len(self._buckets) > self._peers:
            self._buckets.popitem(last=False)

    def _left(self, network: str) -> float:
        left, at = self._buckets.get(network, (self._burst, 0.0))
        return min(self._burst, left + max(0.0, self._clock() - at) * self._refill_per_s)


def _network(peer: str) -> str:
    """A household or host has a whole IPv6 /64: it counts as one peer."""
    try:
        address = ip_address(peer)
    except ValueError:
        return ""
    return address.exploded[:19] if isinstance(address, IPv6Address) else peer
