"""Creation happens once, whatever is repeated, however many come at a time."""

import threading
from collections.abc import Callable

import msgspec
import pytest
from tests.unit.services.world import World

from tidegate.services.errors import Conflict, InvalidField
from tidegate.services.idempotency import KEPT_US, Answer, Idempotency, Once
from tidegate.services.vault import derive

ANSWER = Answer(201, b'{"key":"tg_secret"}', {"location": "/api/v1/keys/key_1"})


@pytest.fixture
def idempotency(world: World) -> Idempotency:
    return Idempotency(world.store, world.subkeys, world.clock)


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> Answer:
        self.done += 1
        return ANSWER


def once(world: World, key: str = "k1", **given: object) -> Once:
    usual = {"member_id": world.owner_id, "request": b"POST /api/v1/keys {}", **given}
    return Once(organization_id=world.organization_id, key=key, **usual)  # type: ignore[arg-type]


def test_the_same_again_is_answered_the_same(world: World, idempotency: Idempotency) -> None:
    work = Work()
    assert [idempotency.run(once(world), work) for _ in range(3)] == [ANSWER] * 3
    assert work.done == 1


def test_another_request_under_the_same_key(world: World, idempotency: Idempotency) -> None:
    work = Work()
    idempotency.run(once(world), work)
    with pytest.raises(Conflict, match="another request") as refusal:
        idempotency.run(once(world, request=b"POST /api/v1/keys {} "), work)
    assert refusal.value.field == "idempotency_key"
    assert work.done == 1


def test_keys_belong_to_organization_and_member(world: World, idempotency: Idempotency) -> None:
    work = Work()
    idempotency.run(once(world), work)
    idempotency.run(once(world, member_id="mem_other"), work)
    other = Once(organization_id="org_x", member_id=world.owner_id, key="k1", request=b"")
    idempotency.run(other, work)
    idempotency.run(once(world, key="k2"), work)
    assert work.done == 4


def test_an_answer_is_kept_for_a_day(world: World, idempotency: Idempotency) -> None:
    work = Work()
    idempotency.run(once(world), work)
    world.clock.now_us += KEPT_US
    idempotency.run(once(world), work)
    assert work.done == 1
    world.clock.now_us += 1
    idempotency.run(once(world, request=b"another"), work)
    assert work.done == 2


def test_a_refusal_is_not_kept(world: World, idempotency: Idempotency) -> None:
    def refuse() -> Answer:
        raise InvalidField("No.", field="email")

    with pytest.raises(InvalidField):
        idempotency.run(once(world), refuse)
    assert idempotency.run(once(world), Work()) == ANSWER


def test_the_answer_is_sealed(world: World, idempotency: Idempotency) -> None:
    idempotency.run(once(world), Work())
    with world.store.directory.reading() as reads:
        record = reads.idempotent(world.organization_id, world.owner_id, "k1")
    assert record is not None
    assert b"tg_secret" not in msgspec.msgpack.encode(record)
    assert record.request_digest != ""
    other = Idempotency(world.store, derive(b"o" * 32), world.clock)
    with pytest.raises(Conflict):
        other.run(once(world), Work())


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\u00e4", "a\nb"])
def test_keys_that_are_refused(world: World, idempotency: Idempotency, key: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        idempotency.run(once(world, key=key), Work())
    assert refusal.value.field == "idempotency_key"


def test_while_one_runs_the_other_is_told_to_wait(world: World, idempotency: Idempotency) -> None:
    def work() -> Answer:
        with pytest.raises(Conflict, match="still running"):
            idempotency.run(once(world), Work())
        return ANSWER

    assert idempotency.run(once(world), work) == ANSWER


def test_what_was_never_answered_is_not_done_again(world: World, idempotency: Idempotency) -> None:
    def work() -> Answer:
        world.clock.now_us += 200_000_000
        with pytest.raises(Conflict, match="See whether it took effect"):
            idempotency.run(once(world), Work())
        return ANSWER

    idempotency.run(once(world), work)


def test_of_many_at_a_time_one_runs(world: World, idempotency: Idempotency) -> None:
    work, answers, told = Work(), list[Answer](), list[str]()
    barrier = threading.Barrier(8)

    def run() -> None:
        barrier.wait()
        try:
            answers.append(idempotency.run(once(world), work))
        except Conflict as conflict:
            told.append(conflict.message)

    _together([run] * 8)
    assert work.done == 1
    assert set(map(str, answers)) == {str(ANSWER)}
    assert len(answers) + len(told) == 8
    assert all("still running" in message for message in told)


def _together(runs: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=run) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
