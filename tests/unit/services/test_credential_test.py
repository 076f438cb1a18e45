"""What the test of a credential asks for, and what it says about each answer."""

import msgspec
import pytest
from tests.unit.services.world import World

from tidegate.core.routing import Base
from tidegate.services.audit import Actor
from tidegate.services.credential_test import (
    CredentialTests,
    Probed,
    Trouble,
    judge,
)
from tidegate.services.credential_test import TestResult as Result  # else it is collected
from tidegate.services.errors import NotFound
from tidegate.services.vault import derive

SECRET = "sk-ant-api03-abcdefghijkl"
LIST = Probed(status=200, body=b'{"data":[{"id":"m"}]}', milliseconds=12)


class FakeProbe:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self, probed: Probed = LIST) -> None:
        self.probed = probed
        self.asked: list[tuple[str, str, dict[bytes, bytes]]] = []

    def get(self, base: Base, path: str, headers: list[tuple[bytes, bytes]]) -> Probed:
        self.asked.append((base.origin.authority, path, dict(headers)))
        return self.probed


def service_with(world: World, probe: FakeProbe) -> CredentialTests:
    return CredentialTests(world.store, world.subkeys, world.clock, probe=probe)


@pytest.mark.parametrize(
    ("provider", "url", "asked"),
    [
        (
            "anthropic",
            "https://api.anthropic.com",
            (
                "api.anthropic.com",
                "/v1/models",
                {b"x-api-key": SECRET.encode(), b"anthropic-version": b"2023-06-01"},
            ),
        ),
        (
            "openai",
            "https://api.openai.com/v1",
            ("api.openai.com", "/v1/models", {b"authorization": f"Bearer {SECRET}".encode()}),
        ),
        (
            "openai",
            "http://models.example:8080/api/paas/v4",
            (
                "models.example:8080",
                "/api/paas/v4/models",
                {b"authorization": f"Bearer {SECRET}".encode()},
            ),
        ),
    ],
)
def test_it_asks_for_the_list_of_models_as_requests_are_sent(
    world: World, provider: str, url: str, asked: tuple[str, str, dict[bytes, bytes]]
) -> None:
    probe = FakeProbe()
    credential_id = world.credentials.set(world.organization_id, provider, url, SECRET)
    result = service_with(world, probe).test(
        world.organization_id, credential_id, actor=world.owner
    )
    assert probe.asked == [asked]
    assert (result.ok, result.status, result.milliseconds) == (True, 200, 12)
    assert result.sentence == f"{asked[0]} accepted the API key."


@pytest.mark.parametrize(
    ("probed", "told"),
    [
        (Probed(status=401), "refused the API key (401): it is wrong, expired or revoked"),
        (Probed(status=403), "forbids its use (403)"),
        (Probed(status=404), "no list of models at this base URL (404)"),
        (Probed(status=429), "out of credit (429)"),
        (Probed(status=302), "a credential follows no redirect"),
        (Probed(status=400), "refused the request (400)"),
        (Probed(status=500), "trouble of its own (500)"),
        (Probed(status=529), "trouble of its own (529)"),
        (Probed(status=200, body=b"<html>"), "but not with a list of models"),
        (Probed(status=200, body=b'{"data":1}'), "compatible with Anthropic"),
        (Probed(status=200, body=b"[" * 100_000), "but not with a list of models"),
        (Probed(status=200, body=b"<html>" * 9, whole=False), "but not with a list of models"),
        (Probed(trouble=Trouble.SLOW), "did not answer within 10 seconds"),
        (Probed(trouble=Trouble.UNKNOWN), "There is no server named api.example"),
        (Probed(trouble=Trouble.UNREACHED, detail="it is {0} off"), "reached: it is {0} off."),
        (Probed(trouble=Trouble.CERTIFICATE, detail="expired"), "cannot be trusted: expired."),
        (Probed(trouble=Trouble.TLS), "did not agree on TLS"),
        (Probed(trouble=Trouble.GARBLED), "did not answer as an HTTP server should"),
        (
            Probed(trouble=Trouble.FORBIDDEN, detail="x leads to 10.0.0.1"),
            "x leads to 10.0.0.1. Whoever runs this server can allow it with --allow-upstream",
        ),
    ],
)
def test_each_failure_has_its_sentence(probed: Probed, told: str) -> None:
    result = judge(probed, "api.example", "Anthropic")
    assert not result.ok
    assert told in result.sentence
    assert result.sentence.endswith(".")
    assert result.status == probed.status


@pytest.mark.parametrize("trouble", list(Trouble))
def test_no_trouble_is_without_a_sentence(trouble: Trouble) -> None:
    assert judge(Probed(trouble=trouble, detail="x"), "api.example", "OpenAI").sentence


def test_a_list_too_long_to_read_is_a_list() -> None:
    body = b'{"object":"list","data":[{"id":"a"},{"id":'
    assert judge(Probed(status=200, body=body, whole=False), "h", "OpenAI").ok


def test_a_test_is_written_down_without_the_secret(world: World) -> None:
    probe = FakeProbe(Probed(status=401, body=SECRET.encode()))
    credential_id = world.credentials.set(
        world.organization_id, "openai", "https://api.openai.com/v1", SECRET
    )
    tests = service_with(world, probe)
    result = tests.test(world.organization_id, credential_id, actor=Actor("mem_a", "192.0.2.1"))
    entry = world.audit()[-1]
    assert (entry.action, entry.target) == ("credential.test", credential_id)
    assert (entry.actor, entry.address) == ("mem_a", "192.0.2.1")
    assert entry.detail == {"ok": "no", "status": "401"}
    assert SECRET not in str(msgspec.to_builtins(result))
    assert SECRET not in str(world.audit())


def test_few_run_at_a_time(world: World) -> None:
    credential_id = world.credentials.set(
        world.organization_id, "openai", "https://api.openai.com/v1", SECRET
    )

    class Nested(FakeProbe):
        """A slow provider: while it is asked, the next test begins."""

        def get(self, base: Base, path: str, headers: list[tuple[bytes, bytes]]) -> Probed:
            super().get(base, path, headers)
            results.append(service.test(world.organization_id, credential_id, actor=world.owner))
            return LIST

    results: list[Result] = []
    probe = Nested()
    service = service_with(world, probe)
    assert service.test(world.organization_id, credential_id, actor=world.owner).ok
    assert len(probe.asked) == 4
    assert [r.ok for r in results] == [False, True, True, True]
    assert "Try again in a few seconds" in results[0].sentence


def test_only_an_organizations_own_credential_is_tested(world: World) -> None:
    probe = FakeProbe()
    credential_id = world.credentials.set(
        world.organization_id, "openai", "https://api.openai.com/v1", SECRET
    )
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    with pytest.raises(NotFound):
        service_with(world, probe).test(other, credential_id, actor=world.owner)
    assert probe.asked == []


def test_another_master_key_asks_nobody(world: World) -> None:
    probe = FakeProbe()
    credential_id = world.credentials.set(
        world.organization_id, "openai", "https://api.openai.com/v1", SECRET
    )
    tests = CredentialTests(world.store, derive(b"o" * 32), world.clock, probe=probe)
    result = tests.test(world.organization_id, credential_id, actor=world.owner)
    assert not result.ok
    assert "cannot be read with this master key" in result.sentence
    assert probe.asked == []
