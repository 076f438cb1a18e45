"""A month of a small team's use, for the browser tests and the pictures in the documentation."""

from tests.browser.world import World

from tidegate.core.model import Cost, TokenCounts

_CLAUDE, _CODEX, _OPENCODE = "claude_code", "codex", "opencode"
_SONNET, _OPUS, _GPT = "claude-sonnet-4-5", "claude-opus-4-5", "gpt-5-codex"

# email, agent, model, requests, tokens (input, 5 min, 1 h, read, output) of one, nano-USD of one
_USE = (
    ("aiko.tanaka@brightwater.dev", _CLAUDE, _SONNET, 312, (3_214, 8_806, 0, 124_210, 688)),
    ("aiko.tanaka@brightwater.dev", _CLAUDE, _OPUS, 41, (2_810, 4_120, 1_900, 88_400, 1_204)),
    ("tomas.herrera@brightwater.dev", _CLAUDE, _SONNET, 204, (2_940, 7_102, 0, 98_300, 702)),
    ("priya.raman@brightwater.dev", _OPENCODE, _SONNET, 122, (3_600, 6_200, 0, 72_100, 811)),
    ("jonas.weber@brightwater.dev", _CODEX, _GPT, 398, (9_020, 0, 0, 61_400, 940)),
    ("kwame.mensah@brightwater.dev", _CODEX, _GPT, 66, (7_300, 0, 0, 40_200, 610)),
)
_RATES = {_SONNET: (3_000, 3_750, 6_000, 300, 15_000), _OPUS: (5_000, 6_250, 10_000, 500, 25_000)}
_GPT_RATES = (1_250, 0, 0, 125, 10_000)


def fill(world: World) -> None:
    """Requests billed and on subscription, estimated ones, and one model of unknown price."""
    agents = {(email, agent) for email, agent, *_ in _USE}
    keys = {who: world.enroll(*who) for who in sorted(agents)}
    for email, agent, model, times, counts in _USE:
        key = keys[email, agent]
        tokens, cost = _priced(counts, model)
        world.use(key, tokens, cost, agent=agent, model=model, times=times, days_ago=1)
        if model == _GPT:
            world.use(key, tokens, cost, agent=agent, model=model, times=3, estimated=True)
    elena = world.enroll("elena.petrova@brightwater.dev")
    tokens, cost = _priced((2_400, 5_100, 0, 66_000, 540), _SONNET)
    world.use(elena, tokens, cost, billing="subscription", times=87, days_ago=2)
    noah = world.enroll("noah.kim@brightwater.dev", _OPENCODE)
    world.use(
        noah,
        TokenCounts(input=14_200, output=910),
        Cost(input=71_000_000, output=22_750_000),
        agent=_OPENCODE,
        model="house-model-preview",
        price_unknown=True,
        times=5,
    )


def _priced(counts: tuple[int, ...], model: str) -> tuple[TokenCounts, Cost]:
    rates = _RATES.get(model, _GPT_RATES)
    return TokenCounts(*counts), Cost(*(n * rate for n, rate in zip(counts, rates, strict=True)))
