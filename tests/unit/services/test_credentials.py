import pytest
from tests.unit.services.world import World

from tidegate.services.errors import Conflict, InvalidField, NotFound
from tidegate.services.vault import unseal

SECRET = "sk-ant-api03-abcdefghijkl"
URL = "https://api.anthropic.com"


def test_set_stores_ciphertext_bound_to_its_place(world: World) -> None:
    credential_id = world.credentials.set(world.organization_id, "anthropic", URL, f"{SECRET}\n")
    [stored] = world.credentials.list(world.organization_id)
    record = stored.record
    assert (record.credential_id, record.base_url, record.is_default) == (credential_id, URL, True)
    assert stored.hint == "ijkl"
    context = f"{world.organization_id}:{credential_id}"
    assert unseal(world.subkeys.credential, record.ciphertext, context=context) == SECRET
    assert SECRET not in str(world.audit())
    assert world.store.directory.snapshot().credentials == (record,)


def test_a_short_secret_shows_nothing_of_itself(world: World) -> None:
    world.credentials.set(world.organization_id, "openai", "https://x", "short-secret")
    assert world.credentials.list(world.organization_id)[0].hint == ""


def test_set_again_replaces_by_provider_and_name(world: World) -> None:
    first = world.credentials.set(world.organization_id, "anthropic", URL, SECRET)
    again = world.credentials.set(world.organization_id, "anthropic", "http://other", "sk-new")
    named = world.credentials.set(
        world.organization_id, "anthropic", URL, "sk-b", name="B", default=False, price_table="t"
    )
    assert again == first
    assert named != first
    found = {c.record.credential_id: c for c in world.credentials.list(world.organization_id)}
    assert found[first].record.base_url == "http://other"
    assert (found[named].name, found[named].record.price_table) == ("B", "t")


def test_one_default_per_provider(world: World) -> None:
    first = world.credentials.set(world.organization_id, "openai", "https://a", "sk-a", name="A")
    second = world.credentials.set(world.organization_id, "openai", "https://b", "sk-b", name="B")
    other = world.credentials.set(world.organization_id, "anthropic", URL, SECRET)
    defaults = {
        c.record.credential_id: c.record.is_default
        for c in world.credentials.list(world.organization_id)
    }
    assert defaults == {first: False, second: True, other: True}
    assert world.credentials.available(world.organization_id) == {"openai", "anthropic"}
    assert world.credentials.available("org_none") == frozenset()


def test_remove_takes_it_from_the_keys_that_chose_it(world: World) -> None:
    key_id = world.enrolled().key_id
    chosen = world.credentials.set(world.organization_id, "anthropic", URL, SECRET)
    world.enrolment.set_key(world.organization_id, key_id, credential_ids={"anthropic": chosen})
    world.credentials.remove(world.organization_id, chosen)
    assert world.credentials.list(world.organization_id) == []
    assert world.enrolment.list_keys(world.organization_id)[0].record.credential_ids == {}
    with pytest.raises(NotFound):
        world.credentials.remove(world.organization_id, chosen)


def test_another_organization_has_none_of_it(world: World) -> None:
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    chosen = world.credentials.set(world.organization_id, "anthropic", URL, SECRET)
    assert world.credentials.list(other) == []
    with pytest.raises(NotFound):
        world.credentials.remove(other, chosen)


@pytest.mark.parametrize(
    ("provider", "url", "secret", "field"),
    [
        ("google", URL, SECRET, "provider"),
        ("openai", "nowhere", SECRET, "base_url"),
        ("openai", URL, " \n", "api_key"),
    ],
)
def test_refused_fields_are_named(
    world: World, provider: str, url: str, secret: str, field: str
) -> None:
    with pytest.raises(InvalidField) as refusal:
        world.credentials.set(world.organization_id, provider, url, secret)
    assert refusal.value.field == field
    assert world.credentials.list(world.organization_id) == []


def test_there_must_be_an_organization(world: World) -> None:
    with pytest.raises(NotFound):
        world.credentials.set("org_none", "openai", URL, SECRET)


def test_add_refuses_a_name_that_is_taken_and_makes_the_first_the_default(world: World) -> None:
    organization_id = world.organization_id
    first = world.credentials.add(organization_id, "openai", URL, SECRET)
    second = world.credentials.add(organization_id, "openai", URL, SECRET, name="EU")
    for name in ("", "OpenAI", " eu "):
        with pytest.raises(Conflict) as refused:
            world.credentials.add(organization_id, "openai", "https://c", "sk-c", name=name)
        assert refused.value.field == "name"
    found = {c.record.credential_id: c for c in world.credentials.list(organization_id)}
    assert set(found) == {first, second}
    assert (found[first].record.is_default, found[second].record.is_default) == (True, False)
    assert (found[second].name, found[second].hint) == ("EU", "ijkl")


def test_replace_keeps_all_but_secret_and_address(world: World) -> None:
    organization_id = world.organization_id
    credential_id = world.credentials.add(organization_id, "openai", URL, SECRET, name="EU")
    world.credentials.replace(
        organization_id, credential_id, base_url="https://b/", api_key="sk-another-and-longer-one"
    )
    stored = world.credentials.get(organization_id, credential_id)
    assert (stored.name, stored.hint, stored.record.is_default) == ("EU", "-one", True)
    assert stored.record.base_url == "https://b"
    context = f"{organization_id}:{credential_id}"
    secret = unseal(world.subkeys.credential, stored.record.ciphertext, context=context)
    assert secret == "sk-another-and-longer-one"
    assert "sk-another" not in str(world.audit())


def test_make_default(world: World) -> None:
    organization_id = world.organization_id
    first = world.credentials.add(organization_id, "openai", URL, SECRET)
    second = world.credentials.add(organization_id, "openai", URL, SECRET, name="EU")
    for _ in range(2):
        world.credentials.make_default(organization_id, second)
    assert not world.credentials.get(organization_id, first).record.is_default
    assert world.credentials.get(organization_id, second).record.is_default
    assert [e.action for e in world.audit()].count("credential.default") == 1


def test_what_another_organization_has_is_not_found(world: World) -> None:
    credential_id = world.credentials.add(world.organization_id, "openai", URL, SECRET)
    for change in (
        lambda: world.credentials.get("org_other", credential_id),
        lambda: world.credentials.make_default("org_other", credential_id),
        lambda: world.credentials.remove("org_other", credential_id),
        lambda: world.credentials.replace("org_other", credential_id, base_url=URL, api_key="k"),
    ):
        with pytest.raises(NotFound):
            change()
    assert world.credentials.get(world.organization_id, credential_id).hint == "ijkl"
