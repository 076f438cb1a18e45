"""FailureLimit: who failed too often waits, everyone else does not."""

from tidegate.console.limits import FailureLimit


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def limit(clock: Clock, peers: int = 100) -> FailureLimit:
    return FailureLimit(burst=3, per_minute=6, clock=clock, peers=peers)


def test_failures_use_up_and_time_gives_back() -> None:
    clock = Clock()
    failures = limit(clock)
    for _ in range(3):
        assert failures.wait_s("192.0.2.1") == 0
        failures.failed("192.0.2.1")
    assert failures.wait_s("192.0.2.1") == 11
    assert failures.wait_s("192.0.2.2") == 0
    clock.now_s += 10
    assert failures.wait_s("192.0.2.1") == 0
    failures.failed("192.0.2.1")
    assert failures.wait_s("192.0.2.1") > 0


def test_a_network_of_ipv6_is_one_peer() -> None:
    failures = limit(Clock())
    for host in range(3):
        failures.failed(f"2001:db8:1:2::{host:x}")
    assert failures.wait_s("2001:db8:1:2:ffff::1") > 0
    assert failures.wait_s("2001:db8:1:3::1") == 0


def test_memory_is_bounded() -> None:
    failures = limit(Clock(), peers=2)
    for peer in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        for _ in range(3):
            failures.failed(peer)
    assert failures.wait_s("192.0.2.1") == 0  # forgotten
    assert failures.wait_s("192.0.2.3") > 0
