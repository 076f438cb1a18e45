"""What a gateway worker is told at its start. Sizes in bytes, times in seconds."""

import msgspec


class GatewayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Limits, deadlines and addresses of one worker; see `tidegate.config` for what each is for."""

    console_socket: str
    head_limit_bytes: int = 64 << 10
    body_limit_bytes: int = 32 << 20
    decoded_limit_bytes: int = 32 << 20
    head_timeout_s: float = 30.0  # from the first byte of a head to its end
    body_timeout_s: float = 300.0  # for a request's body, and a second more per 4 KB that came
    idle_timeout_s: float = 120.0  # a kept-alive connection without a request
    connect_timeout_s: float = 10.0
    first_byte_timeout_s: float = 600.0  # upstream's head, from the request's end
    stream_timeout_s: float = 600.0  # between two reads of the upstream's answer
    write_timeout_s: float = 300.0  # a client that reads nothing
    pool_idle_s: float = 55.0  # how long an upstream connection is kept for reuse
    trusted_proxies: tuple[str, ...] = ()  # networks whose forwarded headers count
    allow_upstreams: tuple[str, ...] = ()  # HOST:PORT that may be private or loopback; port *
    upstream_ca: str = ""  # PEM file beside the system's authorities
    https_proxy: str = ""  # http://[user:password@]host:port
    no_proxy: str = ""
    directory_max_age_s: float = 600.0
    hold_wait_s: float = 0.25  # for a hard budget's answer; then open or closed
    spool_policy: str = "pass"  # or "refuse": where a request's usage could not be recorded
    spool_sync: bool = False  # survive a loss of power
