"""The vocabulary of Tidegate: frozen values, no behaviour beyond arithmetic.

Every value that crosses a process border (spool, directory snapshot) is a msgspec struct, so that
its stored form is defined here and nowhere else. New fields are added at the end with a default:
a spool file written by the previous release must stay readable.
"""

from enum import StrEnum
from typing import Final

import msgspec

from tidegate.core.budgets import Budget, Raise
from tidegate.core.limits import RateLimit

NANO_PER_USD: Final = 1_000_000_000
KEY_PREFIX: Final = "tg_"


class Agent(StrEnum):
    """A coding agent that a member can be enrolled with."""

    CLAUDE_CODE = "claude_code"
    CODEX = "codex"
    OPENCODE = "opencode"

    @property
    def title(self) -> str:  # type: ignore[override]  # str.title is of no use on an identifier
        """The name that people know it by."""
        return {"claude_code": "Claude Code", "codex": "Codex", "opencode": "OpenCode"}[self.value]


class Dialect(StrEnum):
    """The API shape that a request speaks."""

    MESSAGES = "anthropic_messages"
    RESPONSES = "openai_responses"
    CHAT = "openai_chat"


class Provider(StrEnum):
    """Whose API a credential is for; compatible services count as the one they imitate."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"


class Outcome(StrEnum):
    """How a request ended."""

    OK = "ok"
    UPSTREAM_ERROR = "upstream_error"  # an error answer, or none: it could not be reached
    REFUSED = "refused"  # we answered, the upstream never saw it
    CANCELLED = "cancelled"  # the client left before the end
    CUT = "cut"  # the upstream's answer ended before its terminal event
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"  # the gateway ended before the request did


class Billing(StrEnum):
    """Whether a cost is money really billed, or a subscription valued at list price."""

    API = "api"
    SUBSCRIPTION = "subscription"


class CredentialMode(StrEnum):
    """Which provider secret a key's requests travel with."""

    AUTO = "auto"  # own if the request brings one beside x-tidegate-key, else organization
    ORGANIZATION = "organization"
    OWN = "own"


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class TokenCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one request in disjoint buckets, each with exactly one rate.

    `input` is uncached input: providers disagree on whether "input" holds cached tokens, here it
    never does. `reasoning` is an of-which of `output` and costs nothing by itself.
    """

    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """Everything that was sent: uncached, written to and read from the cache."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    @property
    def total(self) -> int:
        """The headline metric "Tokens"."""
        return self.prompt + self.output


class Cost(msgspec.Struct, frozen=True, omit_defaults=True):
    """Cost of one request per bucket, in nano-USD (1e-9 USD), each rounded half-even once.

    `extras` is what is not priced by token: web searches and the like.
    """

    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0
    extras: int = 0

    @property
    def total(self) -> int:
        """The sum in nano-USD."""
        return (
            self.input
            + self.cache_write_5m
            + self.cache_write_1h
            + self.cache_read
            + self.output
            + self.extras
        )


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one request consumed, as far as the upstream said so or we could estimate.

    `estimated` is set when any bucket is our estimate. The price modifiers (`service_tier`,
    `speed`, `region`, `batch`) are what the upstream confirmed, not what was asked for.
    """

    tokens: TokenCounts = TokenCounts()
    model_served: str = ""
    service_tier: str = ""  # "", "default", "priority", "flex", "standard", "batch"...
    speed: str = ""  # "fast" or ""
    region: str = ""  # inference geography as reported, e.g. "us"
    web_searches: int = 0
    estimated: bool = False
    upstream_id: str = ""  # the provider's id of the answer, e.g. msg_…, resp_…


class ToolSaving(msgspec.Struct, frozen=True):
    """What compression made of all tool results of one class in a request."""

    tool_class: str  # read, search, list, shell, edit or other
    results: int
    tokens_before: int
    tokens_after: int


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that a session worked on, as found in or around one of its requests."""

    kind: str  # core/attribution.py: Kind
    value: str  # github.com/acme/app, a branch, a commit in hex, github.com/acme/app#12
    method: str  # core/attribution.py: Method
    certain: bool = True
    source: str = ""  # in short what showed it, e.g. "gh pr create"


class SessionCall(msgspec.Struct, frozen=True):
    """A call of one of our own tools that was seen in a session's conversation."""

    call_id: str
    tool: str  # its bare name
    digest: str  # of its canonical arguments, see core/session_tools.py


class UsageEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One finished request, as written to the spool and the ledger. Never updated.

    Times are UTC microseconds since the epoch; durations are monotonic microseconds.
    """

    event_id: str  # req_…; also the request id shown to people
    organization_id: str
    member_id: str
    key_id: str
    agent: str  # Agent
    client_version: str = ""
    provider: str = ""  # Provider
    credential_id: str = ""  # empty for a developer's own credential
    billing: str = "api"  # Billing
    model_asked: str = ""
    model_served: str = ""
    dialect: str  # Dialect
    stream: bool = False
    session_id: str = ""  # ses_…, from (organization, key, client's id)
    client_session: str = ""  # the id as the client sent it
    parent_session_id: str = ""  # OpenCode gives sub-agents a new session id
    subagent_id: str = ""  # Claude Code's agent id, Codex's thread id, when a sub-agent
    parent_agent_id: str = ""
    is_title: bool = False  # the client's request for a session title
    repository: str = ""
    branch: str = ""
    commit: str = ""
    launch_id: str = ""
    started_us: int
    first_byte_us: int = 0  # duration to the first byte of the answer's body, 0 when none
    duration_us: int = 0
    status: int = 0  # what the client was sent
    outcome: str  # Outcome
    error_code: str = ""  # ours, see core/errors.py; empty for the upstream's own
    request_bytes: int = 0
    response_bytes: int = 0
    tokens: TokenCounts = TokenCounts()
    cost: Cost = Cost()
    price_version: str = ""
    price_unknown: bool = False
    estimated: bool = False
    service_tier: str = ""
    speed: str = ""
    region: str = ""
    web_searches: int = 0
    upstream_request_id: str = ""
    upstream_id: str = ""
    captured: bool = False  # its bodies were handed over to be kept
    compression: str = ""  # the level its session is pinned to, "off" or "holdout"; "": no session
    compression_version: int = 0  # of the engine, 0 when it did not look
    compression_faults: int = 0  # results sent as they came for doubt, fault or lack of time
    tool_savings: tuple[ToolSaving, ...] = ()  # classes that had results
    saved_tokens_new: int = 0  # of results that this request sent first
    saved_tokens_again: int = 0  # of results that earlier requests of the session had sent
    saved_nano: int = 0  # what those would have cost, see core/savings.py
    squad_id: str = ""  # of the member when the request began
    links: tuple[Link, ...] = ()  # found in its metadata and tool traffic; kept with the session
    calls: tuple[SessionCall, ...] = ()  # of our tools, seen in its conversation
    pull_request: str = ""  # number; the ledger's, like its repository, is the one it counts for


class RequestStart(msgspec.Struct, frozen=True, array_like=True):
    """A request whose first byte is about to go to the upstream, as written to the spool.

    `event` is the usage event as far as it is known, with the outcome `crashed`: what becomes of
    the request if its worker ends before it. The rest is what an estimate and its price need.
    """

    event: UsageEvent
    prompt_bytes: int = 0  # of the decoded body
    previous_prompt_tokens: int | None = None  # see core/estimate.py
    price_table: str = ""


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the gateway needs it. The id lasts; secrets come and go by rotation."""

    key_id: str
    organization_id: str
    member_id: str
    agent: str  # Agent
    credential_mode: str = "auto"  # CredentialMode
    credential_ids: dict[str, str] = {}  # provider → chosen credential; absent: the default
    allowed_models: tuple[str, ...] = ()  # globs; empty: every model
    disabled: bool = False
    compression: bool = True
    debug_until_us: int = 0  # bodies are captured until then, 0: no

    def captures(self, now_us: int) -> bool:
        """Whether debug mode is on."""
        return now_us < self.debug_until_us


class SecretRecord(msgspec.Struct, frozen=True):
    """One valid secret of a key, by its keyed hash (32 bytes, hex)."""

    secret_hash: str
    key_id: str
    valid_until_us: int = 0  # 0: no end


class CredentialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An organization's provider credential; the secret is AES-256-GCM ciphertext."""

    credential_id: str
    organization_id: str
    provider: str  # Provider
    base_url: str
    ciphertext: bytes
    is_default: bool = False
    price_table: str = ""  # table of the price override file; empty: list prices


class OrganizationRecord(msgspec.Struct, frozen=True, kw_only=True):
    organization_id: str
    name: str
    time_zone: str = "UTC"
    week_start: int = 1  # ISO weekday
    allow_own_credential: bool = True
    allowed_models: tuple[str, ...] = ()
    self_enrolment: bool = False  # members may give themselves keys
    ledger_days: int = 0  # how long usage events are kept, 0: for ever; sums always are
    capture_days: int = 3
    compression_level: str = "lossless"  # of new sessions: lossless, references or trims
    compression_locked: bool = False  # every key does as `compression_default` says
    compression_default: bool = True  # of new keys
    holdout_permille: int = 0  # of new sessions left uncompressed, to compare with
    session_tools: bool = True  # agents get tools to say what their sessions are about

    def compresses(self, key: KeyRecord) -> bool:
        """Whether new sessions of one of its keys are compressed, but for the holdout."""
        return self.compression_default if self.compression_locked else key.compression


class DirectorySnapshot(msgspec.Struct, frozen=True):
    """All that a gateway worker needs to decide on a request, at one version of the directory."""

    version: int
    organizations: tuple[OrganizationRecord, ...] = ()
    keys: tuple[KeyRecord, ...] = ()
    secrets: tuple[SecretRecord, ...] = ()
    credentials: tuple[CredentialRecord, ...] = ()
    budgets: tuple[Budget, ...] = ()
    raises: tuple[Raise, ...] = ()  # ended ones too: the clock decides
    squads: dict[str, str] = {}  # member → squad
    squad_models: dict[str, tuple[str, ...]] = {}  # squad → globs; absent: every model
    rate_limits: tuple[RateLimit, ...] = ()
