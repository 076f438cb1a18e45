"""Webhooks: believed only if signed, counted once, in whatever order they come."""

import pytest
from tests.github_payloads import (
    at_us,
    body_of,
    merged,
    pull_request,
    push,
    renamed,
    repositories_added,
    repository,
    sample,
    signature,
    transferred,
)
from tests.unit.services.github.conftest import Connected

from tidegate.services.errors import Conflict, NotFound
from tidegate.services.github_hooks import Taken

pytestmark = pytest.mark.slow


def test_a_forged_delivery_changes_nothing(connected: Connected) -> None:
    connected.install()
    payload = pull_request(repository(1, "acme/app", 20), 5, 100)
    body = body_of(payload)
    forgeries = {
        "unsigned": "",
        "of another secret": signature(body, "another secret of someone"),
        "of another body": signature(body + b" "),
        "by the older hash": "sha1=" + "0" * 40,
        "in capitals": signature(body).upper(),
        "cut": signature(body)[:-1],
    }
    for name, forged in forgeries.items():
        taken = connected.hook("pull_request", payload, "d1", signature=forged)
        assert taken is Taken.FORGED, name
    assert connected.hook("pull_request", payload, "d1", hook_id="0" * 32) is Taken.UNKNOWN
    host = connected.host
    assert connected.forge.pull_requests(connected.organization_id, [(f"{host}/acme/app", 5)]) == {}
    assert connected.forge.status(connected.organization_id).last_delivery_us == 0


def test_an_app_without_a_secret_believes_nobody(connected: Connected) -> None:
    connected.install()
    with connected.world.store.directory.changing() as change:
        app = change.github_app(connected.organization_id)
        assert app is not None
        change.put_github_app(
            type(app)(
                **{n: getattr(app, n) for n in app.__struct_fields__} | {"webhook_secret": b""}
            )
        )
    payload = sample("ping")
    forged = signature(body_of(payload), "")
    assert connected.hook("ping", payload, "d1", signature=forged) is Taken.FORGED


def test_a_delivery_counts_once(connected: Connected) -> None:
    connected.install()
    of = repository(1, "acme/app", 20)
    first = pull_request(of, 5, 100, title="First")
    assert connected.hook("pull_request", first, "d1") is Taken.DONE
    changed = pull_request(of, 5, 200, title="Replayed with another body")
    assert connected.hook("pull_request", changed, "d1") is Taken.SEEN
    name = f"{connected.host}/acme/app"
    found = connected.forge.pull_requests(connected.organization_id, [(name, 5)])[name, 5]
    assert found.title == "First"


def test_a_pull_request_from_its_opening_to_its_merge(connected: Connected) -> None:
    connected.install()
    of, name = repository(1, "acme/app", 20), f"{connected.host}/acme/app"
    seen = []
    for number, payload in enumerate(
        (
            pull_request(of, 5, 300, **merged(300)),
            pull_request(of, 5, 100, action="opened", draft=True),
            pull_request(of, 5, 200, action="ready_for_review"),
        )
    ):
        assert connected.hook("pull_request", payload, f"d{number}") is Taken.DONE
        found = connected.forge.pull_requests(connected.organization_id, [(name, 5)])
        seen.append(found[name, 5].state)
    assert seen == ["merged", "merged", "merged"]
    (pull,) = found.values()
    assert (pull.merged_us, pull.additions, pull.author) == (at_us(300), 1, "Codertocat")


def test_a_repository_that_is_renamed_transferred_and_replaced(connected: Connected) -> None:
    connected.install()
    host, organization_id = connected.host, connected.organization_id
    before = pull_request(repository(1, "acme/app", 20), 5, 100)
    assert connected.hook("pull_request", before, "d1") is Taken.DONE
    assert (
        connected.hook("repository", renamed(1, "acme/app", "acme/core", 500), "d2") is Taken.DONE
    )
    moved = transferred(1, "acme/core", "umbrella/core", 900)
    assert connected.hook("repository", moved, "d3") is Taken.DONE
    names = connected.forge.names(organization_id)
    assert names.current(f"{host}/acme/app") == f"{host}/umbrella/core"
    assert names.current(f"{host}/ACME/Core") == f"{host}/umbrella/core"
    asked = connected.forge.pull_requests(organization_id, [(f"{host}/acme/app", 5)])
    assert [pull.repository for pull in asked.values()] == [f"{host}/umbrella/core"]
    new = pull_request(repository(9, "acme/app", 2000), 5, 2100, title="Of the new one")
    assert connected.hook("pull_request", new, "d4") is Taken.DONE
    names = connected.forge.names(organization_id)
    assert names.current(f"{host}/acme/app", at_us(400)) == f"{host}/umbrella/core"
    assert names.current(f"{host}/acme/app", at_us(2500)) == f"{host}/acme/app"
    assert names.turns(at_us(0), at_us(9000)) == [at_us(2000)]
    found = connected.forge.pull_requests(
        organization_id, [(f"{host}/acme/app", 5), (f"{host}/umbrella/core", 5)]
    )
    assert [pull.title for pull in found.values()] == [
        "Of the new one",
        before["pull_request"]["title"],
    ]


def test_a_force_push_is_harmless(connected: Connected) -> None:
    connected.install()
    of = repository(1, "acme/app", 20)
    for number in range(2):
        payload = push(of, "work", forced=True)
        assert connected.hook("push", payload, f"p{number}") is Taken.DONE
    names = {each.name for each in connected.forge.repositories(connected.organization_id)}
    assert f"{connected.host}/acme/app" in names


def test_what_is_not_known_is_ignored_and_what_is_no_event_refused(connected: Connected) -> None:
    connected.install()
    assert connected.hook("star", {"action": "created"}, "d1") is Taken.IGNORED
    assert connected.hook("ping", sample("ping"), "d2") is Taken.DONE
    assert connected.forge.status(connected.organization_id).last_event == "ping"
    hostile = pull_request(repository(1, "acme/app", 20), 5, 100)
    hostile["repository"]["full_name"] = "../../etc"
    assert connected.hook("pull_request", hostile, "d3") is Taken.UNREADABLE
    assert connected.hook("pull_request", {"repository": []}, "d4") is Taken.UNREADABLE
    assert connected.hook("ping", sample("ping"), "d5 with spaces") is Taken.UNREADABLE
    nameless = pull_request(repository(1, "acme/app", 20), 6, 100, title="a\0b\u202ec\n" * 99)
    assert connected.hook("pull_request", nameless, "d6") is Taken.DONE
    name = f"{connected.host}/acme/app"
    found = connected.forge.pull_requests(connected.organization_id, [(name, 6)])[name, 6]
    assert found.title.isprintable()
    assert len(found.title) <= 300


def test_others_installations_wait_until_an_admin_takes_them(connected: Connected) -> None:
    connected.install()
    other = connected.fake.install(connected.fake.apps[7], "mallory", 3)
    payload = repositories_added(other.installation_id, {3: "mallory/evil"}, 50)
    assert connected.hook("installation_repositories", payload, "d1") is Taken.DONE
    assert connected.forge.repositories(connected.organization_id) == []
    installations = connected.github.installations
    listed = installations.list(connected.organization_id)
    assert [(x.account, x.approved) for x in listed] == [("Codertocat", False), ("acme", True)]
    installations.approve(
        connected.organization_id, other.installation_id, actor=connected.world.owner
    )
    again = repositories_added(other.installation_id, {3: "mallory/evil"}, 60)
    assert connected.hook("installation_repositories", again, "d2") is Taken.DONE
    assert len(connected.forge.repositories(connected.organization_id)) == 1


def test_an_installation_of_another_app_is_not_taken_over(connected: Connected) -> None:
    connected.install()
    theirs = connected.fake.install(connected.fake.add_app(99), "umbrella")
    installations, world = connected.github.installations, connected.world
    begun = installations.begin(connected.organization_id, world.owner_id)
    with pytest.raises(NotFound):
        installations.finish(
            connected.organization_id,
            world.owner_id,
            installation_id=theirs.installation_id,
            state=begun.partition("state=")[2],
            actor=world.owner,
        )
    other_id, _ = world.other_organization("else@example.com", "")
    with pytest.raises(NotFound):
        installations.approve(other_id, 1, actor=world.owner)
    with world.store.directory.changing() as change:
        app = change.github_app(connected.organization_id)
        assert app is not None
        found = change.github_installation(app.web_url, 1)
        assert found is not None
        moved = type(found)(
            **{n: getattr(found, n) for n in found.__struct_fields__} | {"installation_id": 77}
        )
        change.put_github_installation(moved)
    payload = repositories_added(77, {3: "acme/x"}, 50)
    payload["installation"]["app_id"] = 99
    assert connected.hook("installation_repositories", payload, "d9") is Taken.FORGED


def test_a_way_back_without_a_state_only_notes(connected: Connected) -> None:
    connected.connect()
    installation = connected.fake.install(connected.fake.apps[7], "acme")
    used = connected.github.installations.finish(
        connected.organization_id,
        connected.world.owner_id,
        installation_id=installation.installation_id,
        state="",
        actor=connected.world.owner,
    )
    assert not used
    (listed,) = connected.github.installations.list(connected.organization_id)
    assert not listed.approved


def test_an_uninstalled_app_does_not_come_back(connected: Connected) -> None:
    connected.install()
    gone = sample("installation_deleted")
    gone["installation"] |= {"id": 1, "app_id": 7, "updated_at": "2026-03-02T00:00:00Z"}
    assert connected.hook("installation", gone, "d1") is Taken.DONE
    late = sample("installation_created")
    late["installation"] |= {"id": 1, "app_id": 7, "updated_at": "2026-03-01T00:00:00Z"}
    assert connected.hook("installation", late, "d2") is Taken.DONE
    assert connected.github.installations.list(connected.organization_id) == []


def test_github_down_while_the_browser_comes_back(connected: Connected) -> None:
    connected.connect()
    connected.fake.mode = "broken"
    with pytest.raises(Conflict, match="could not be checked"):
        connected.github.installations.finish(
            connected.organization_id,
            connected.world.owner_id,
            installation_id=1,
            state="",
            actor=connected.world.owner,
        )
