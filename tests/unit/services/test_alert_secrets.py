"""The addresses and signing secrets of channels: sealed at rest, and told to nobody again."""

from pathlib import Path

import msgspec
import pytest
from tests.browser.world import made_world
from tests.unit.services.alert_world import budget, look, outbox, send, spend
from tests.webhook_receiver import Receiver

from tidegate.services.alert_channels import ChannelForm
from tidegate.services.audit import COMMAND_LINE

pytestmark = pytest.mark.slow


def test_nothing_tells_a_channels_secrets(tmp_path: Path) -> None:
    planted = "planted-in-the-path"
    with made_world(tmp_path / "data") as world, Receiver([404, 500]) as receiver:
        world.found()
        whose, channels = world.organization_id, world.services.alerts.channels
        url = f"http://127.0.0.1:{receiver.port}/services/{planted}?sig={planted}"
        made = [
            channels.create(whose, ChannelForm(kind=kind, url=url), actor=COMMAND_LINE)
            for kind in ("webhook", "slack", "teams")
        ]
        pager = made[0].record.channel_id
        again = channels.renew_secret(whose, pager, actor=COMMAND_LINE)
        secrets = [planted, made[0].signing_secret, again.signing_secret]
        assert len({*secrets, ""}) == 4
        tested = world.services.alerts.history.test(whose, pager, actor=COMMAND_LINE)
        budget(world)
        spend(world, 100)
        look(world)
        send(world)
        with world.store.directory.reading() as reads:
            entries = [entry.detail for entry in reads.audit(whose, 100)]
        shown = [tested, entries, outbox(world), channels.list(whose)]
        told = f"{shown} {msgspec.json.encode(shown)!r}"
        assert "has trouble of its own (500)" in told
        assert [each for each in secrets if each in told] == []
        files = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("*.db*"))
        assert b"127.0.0.1:" in files
        assert [each for each in secrets if each.encode() in files] == []
        assert {request.path for request in receiver.requests} == {
            f"/services/{planted}?sig={planted}"
        }
