"""A creation that is sent twice happens once."""

import pytest
from starlette.testclient import TestClient
from tests.unit.console.api_v1.programs import Programs

pytestmark = pytest.mark.slow

KEY = {"idempotency-key": "b1946ac9-2f31"}


def test_a_repeated_creation_gets_the_first_answer(api: TestClient) -> None:
    first = api.post("/me/access-tokens", json={"name": "ci"}, headers=KEY)
    again = api.post("/me/access-tokens", json={"name": "ci"}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    named = [t for t in api.get("/me/access-tokens").json()["items"] if t["name"] == "ci"]
    assert len(named) == 1


def test_spelling_the_same_body_otherwise_is_the_same_request(api: TestClient) -> None:
    headers = KEY | {"content-type": "application/json"}
    first = api.post("/invitations", content=b'{"email":"a@b.dev"}', headers=headers)
    again = api.post(
        "/invitations", content=b'{ "role": "member", "email": "a@b.dev" }', headers=headers
    )
    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [("/me/access-tokens", {"name": "other"}), ("/invitations", {"email": "a@b.dev"})],
)
def test_another_request_under_the_same_key_is_refused(
    api: TestClient, path: str, body: dict[str, str]
) -> None:
    api.post("/me/access-tokens", json={"name": "ci"}, headers=KEY)
    answer = api.post(path, json=body, headers=KEY)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/api/v1/problems#idempotency-conflict"
    assert api.post(path, json=body).status_code == 201


def test_a_refused_request_may_be_corrected_under_its_key(api: TestClient) -> None:
    wrong = api.post("/invitations", json={"email": "no address"}, headers=KEY)
    assert wrong.status_code == 422
    right = api.post("/invitations", json={"email": "a@b.dev"}, headers=KEY)
    assert right.status_code == 201


def test_keys_of_others_are_others(programs: Programs) -> None:
    owner, admin = programs.of("owner"), programs.of("admin")
    mine = owner.post("/me/access-tokens", json={"name": "ci"}, headers=KEY).json()
    theirs = admin.post("/me/access-tokens", json={"name": "ci"}, headers=KEY).json()
    assert mine["id"] != theirs["id"]


def test_an_answer_is_kept_for_a_day(programs: Programs) -> None:
    owner = programs.of("owner")
    first = owner.post("/me/access-tokens", json={"name": "ci", "days": 9}, headers=KEY)
    programs.world.now_us += 86_400_000_000 - 1
    again = owner.post("/me/access-tokens", json={"name": "ci", "days": 9}, headers=KEY)
    assert again.json() == first.json()
    programs.world.now_us += 2
    late = owner.post("/me/access-tokens", json={"name": "ci", "days": 9}, headers=KEY)
    assert late.status_code == 409
    assert late.json()["type"] == "/api/v1/problems#conflict"


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256])
def test_keys_that_are_none(api: TestClient, key: str) -> None:
    headers = {b"idempotency-key": key.encode()}
    answer = api.post("/me/access-tokens", json={"name": "ci"}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_two_keys_are_one_too_many(api: TestClient) -> None:
    headers = [("idempotency-key", "a"), ("idempotency-key", "b")]
    answer = api.post("/me/access-tokens", json={"name": "ci"}, headers=headers)
    assert answer.status_code == 422


def test_a_rotation_that_is_sent_twice_happens_once(programs: Programs) -> None:
    owner = programs.of("owner")
    key_id = programs.world.enroll("maya@brightwater.dev").key_id
    first = owner.post(f"/keys/{key_id}/rotate", json={}, headers=KEY).json()
    again = owner.post(f"/keys/{key_id}/rotate", json={}, headers=KEY).json()
    assert first == again
    assert owner.post(f"/keys/{key_id}/reveal").json() == first


def test_the_same_body_about_another_thing_is_another_request(programs: Programs) -> None:
    owner = programs.of("owner")
    mine, other = (programs.world.enroll(f"{name}@b.dev").key_id for name in ("a", "b"))
    owner.post(f"/keys/{mine}/rotate", json={}, headers=KEY)
    assert owner.post(f"/keys/{other}/rotate", json={}, headers=KEY).status_code == 409
    assert owner.post(f"/keys/{mine}/reveal", json={}, headers=KEY).status_code == 409
