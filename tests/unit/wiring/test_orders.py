"""What children are told: the settings they need, and only the keys they need."""

import dataclasses
from pathlib import Path

import msgspec

from tidegate.config import load
from tidegate.gateway.options import GatewayOptions
from tidegate.wiring.crew import gateway_options, place_of
from tidegate.wiring.orders import Place

HOME = {"HOME": "/home/ada"}


def test_every_option_of_the_gateway_has_a_setting_with_the_same_default() -> None:
    assert gateway_options(load({}, HOME), "/s") == GatewayOptions(console_socket="/s")


def test_settings_reach_the_gateway() -> None:
    flags = {"upstream_ca": "/ca.pem", "allow_upstreams": "h:1", "pool_idle_s": "5"}
    options = gateway_options(load(flags, HOME | {"HTTPS_PROXY": "p:1"}), "/s")
    assert options.upstream_ca == "/ca.pem"
    assert options.allow_upstreams == ("h:1",)
    assert options.pool_idle_s == 5
    assert options.https_proxy == "http://p:1"


def test_no_place_is_told_the_master_key() -> None:
    settings = dataclasses.replace(
        load({}, HOME), master_key="hidden", price_file=Path("/prices.toml")
    )
    place = place_of(settings)
    assert place.price_file == str(settings.data_dir / "price-file.copy")
    assert b"hidden" not in msgspec.json.encode(place)
    assert msgspec.json.decode(msgspec.json.encode(place), type=Place) == place
