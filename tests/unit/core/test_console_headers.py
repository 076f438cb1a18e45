"""What a client says reaches the console only as far as the console does not take it for ours."""

from tidegate.core.headers import console_headers


def test_only_the_agents_own_words_pass() -> None:
    names = (
        "x-tidegate-key", "X-Tidegate-Launch", "x-tidegate-peer", "X-Tidegate-Proto",
        "x-tidegate-repository", "x-forwarded-for", "Forwarded", "x-request-id", "Origin",
    )  # fmt: skip
    headers = [(name.lower().encode(), name.encode(), b"v") for name in names]
    assert console_headers(headers, connection=b"") == [
        b"x-tidegate-key: v\r\n",
        b"X-Tidegate-Launch: v\r\n",
        b"Origin: v\r\n",
    ]
