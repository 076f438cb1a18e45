"""The people of the demo: a made-up team, and how each of them works."""

from typing import Final

import msgspec

from tidegate.core.model import Agent, Billing, Role

ORGANIZATION: Final = "Brightwater"
DOMAIN: Final = "brightwater.example"  # reserved: no mail ever reaches it
TIME_ZONE: Final = "Europe/Berlin"
OWNER: Final = "Maya Lindqvist"


class Habit(msgspec.Struct, frozen=True):
    """One enrolled agent of a person: its models and how often each is chosen."""

    agent: Agent
    models: tuple[tuple[str, float], ...]
    billing: Billing = Billing.API


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A member, from the first day to the last. Days count backwards from today."""

    name: str
    pace: float  # sessions of a usual working day; 0: never used
    habits: tuple[Habit, ...]  # the first is the favourite
    repositories: tuple[str, ...]  # the first is the favourite
    role: Role = Role.MEMBER
    zone: str = TIME_ZONE
    joined: int = 120  # days ago
    quiet: float = 0.0  # days since the last session, at least
    holiday: tuple[int, int] = (0, 0)  # from so many days ago, for so many days
    is_at_work: bool = False  # right now
    removed: int = 0  # days ago; 0: still there

    @property
    def email(self) -> str:
        return f"{self.name.lower().translate(_PLAIN)}@{DOMAIN}"

    @property
    def squad(self) -> str:
        """The name of the squad; "" for who is in none."""
        return next((squad for squad, names in SQUADS.items() if self.name in names), "")


class Guest(msgspec.Struct, frozen=True):
    """Someone who was invited and has not come yet."""

    email: str
    role: Role
    days_ago: float


_PLAIN: Final = str.maketrans("áéíóúüñçê ", "aeiouunce.", "'")

_OPUS: Final = (("claude-opus-5-5", 0.55), ("claude-sonnet-5-5", 0.45))
_SONNET: Final = (("claude-sonnet-5-5", 0.85), ("claude-opus-5-5", 0.15))
_SOL: Final = (("gpt-6.1-sol", 0.8), ("gpt-6.1-terra", 0.2))
_TERRA: Final = (("gpt-6.1-terra", 0.7), ("gpt-6-luna", 0.3))

_CLAUDE: Final = Habit(Agent.CLAUDE_CODE, _SONNET)
_CLAUDE_DEEP: Final = Habit(Agent.CLAUDE_CODE, _OPUS)
_CLAUDE_OWN: Final = Habit(Agent.CLAUDE_CODE, _OPUS, Billing.SUBSCRIPTION)
_CODEX: Final = Habit(Agent.CODEX, _SOL)
_CODEX_OWN: Final = Habit(Agent.CODEX, _SOL, Billing.SUBSCRIPTION)
_OPENCODE: Final = Habit(Agent.OPENCODE, _SONNET)
_OPENCODE_TERRA: Final = Habit(Agent.OPENCODE, _TERRA)

_API: Final = "tidewave-api"
_WEB: Final = "web-console"
_BILLING: Final = "billing-core"
_INFRA: Final = "infra-live"
_MOBILE: Final = "mobile-app"
_PIPELINES: Final = "data-pipelines"
_DOCS: Final = "docs"
_DESIGN: Final = "design-system"
_AUTH: Final = "auth-service"
_SDK: Final = "sdk-python"
_E2E: Final = "e2e-tests"
_SEARCH: Final = "search-index"

_TOKYO: Final = "Asia/Tokyo"
_NEW_YORK: Final = "America/New_York"
_KOLKATA: Final = "Asia/Kolkata"

PEOPLE: Final = (
    Person(name=OWNER, role=Role.OWNER, pace=2.4, habits=(_CLAUDE_DEEP,), is_at_work=True,
           repositories=(_API, _INFRA, _DOCS)),
    Person(name="Priya Raman", role=Role.ADMIN, pace=4.6, habits=(_CLAUDE_DEEP, _OPENCODE),
           repositories=(_API, _BILLING, _AUTH), zone=_KOLKATA, is_at_work=True),
    Person(name="Jonas Weber", role=Role.ADMIN, pace=4.0, habits=(_CLAUDE,),
           repositories=(_INFRA, _PIPELINES), is_at_work=True, holiday=(40, 8)),
    Person(name="Aiko Tanaka", pace=7.2, habits=(_CLAUDE_DEEP, _CODEX),
           repositories=(_API, _WEB, _SDK), zone=_TOKYO, is_at_work=True),
    Person(name="Tomás Herrera", pace=6.4, habits=(_CLAUDE_DEEP,), repositories=(_WEB, _DESIGN),
           is_at_work=True),
    Person(name="Kwame Mensah", pace=5.4, habits=(_CODEX,), repositories=(_BILLING, _API),
           quiet=0.09),
    Person(name="Elena Petrova", pace=4.2, habits=(_CLAUDE_OWN,),
           repositories=(_MOBILE, _DESIGN), is_at_work=True),
    Person(name="Noah Kim", pace=3.6, habits=(_OPENCODE, _CODEX, _CLAUDE), quiet=0.14,
           repositories=(_PIPELINES, _SEARCH, _API), holiday=(21, 6)),
    Person(name="Lucía Fernández", pace=3.4, habits=(_OPENCODE,), quiet=1.1,
           repositories=(_WEB, _E2E), holiday=(60, 10)),
    Person(name="Sam O'Connor", pace=2.8, habits=(_CLAUDE,), repositories=(_INFRA, _AUTH),
           quiet=0.22),
    Person(name="Yusuf Demir", pace=3.9, habits=(_CLAUDE, _CODEX_OWN), repositories=(_AUTH, _API),
           joined=52, is_at_work=True),
    Person(name="Chloé Martin", pace=3.1, habits=(_CODEX,), repositories=(_MOBILE, _SDK),
           quiet=0.3),
    Person(name="Arjun Mehta", pace=5.0, habits=(_CLAUDE,), repositories=(_SEARCH, _PIPELINES),
           zone=_KOLKATA, quiet=0.5),
    Person(name="Sofia Rossi", pace=2.6, habits=(_CLAUDE_DEEP,), repositories=(_DESIGN, _WEB),
           quiet=0.7, holiday=(12, 5)),
    Person(name="Liam Byrne", pace=3.3, habits=(_CODEX, _OPENCODE_TERRA),
           repositories=(_BILLING, _E2E), quiet=0.4),
    Person(name="Mei Lin Chen", pace=4.4, habits=(_CLAUDE,), repositories=(_PIPELINES, _SEARCH),
           joined=75, quiet=0.17),
    Person(name="Diego Álvarez", pace=2.2, habits=(_CLAUDE,), repositories=(_WEB,),
           zone=_NEW_YORK, quiet=0.2),
    Person(name="Hana Sato", pace=2.9, habits=(_CODEX,), repositories=(_MOBILE, _DESIGN),
           zone=_TOKYO, quiet=0.6),
    Person(name="Grace Okafor", pace=2.5, habits=(_CLAUDE_OWN, _OPENCODE),
           repositories=(_API, _DOCS), zone=_NEW_YORK, joined=33, quiet=0.1),
    Person(name="Viktor Lindgren", pace=1.8, habits=(_OPENCODE_TERRA,),
           repositories=(_SDK, _DOCS), quiet=2.0),
    Person(name="Inês Dubois", pace=1.4, habits=(_CLAUDE,), repositories=(_DOCS,), quiet=2.2),
    Person(name="Oskar Nowak", pace=1.1, habits=(_CODEX,), repositories=(_E2E,), quiet=3.1),
    Person(name="Fatima Zahra", pace=1.5, habits=(_CLAUDE,), repositories=(_AUTH, _API),
           joined=18, quiet=6.2),
    Person(name="Ben Carter", pace=0, habits=(_CLAUDE,), repositories=(_API,), joined=3),
    Person(name="Pieter de Vries", pace=3.5, habits=(_CLAUDE, _CODEX),
           repositories=(_BILLING, _INFRA), removed=19),
)  # fmt: skip
"""The first is the owner. Whoever is removed worked until then."""

GUESTS: Final = (
    Guest(f"rana.haddad@{DOMAIN}", Role.MEMBER, 2.1),
    Guest(f"olu.adeyemi@{DOMAIN}", Role.MEMBER, 0.4),
    Guest(f"kim.larsen@{DOMAIN}", Role.ADMIN, 5.3),
)

SQUADS: Final = {
    "Platform": (OWNER, "Priya Raman", "Jonas Weber", "Aiko Tanaka", "Kwame Mensah", "Sam O'Connor",
                 "Yusuf Demir", "Liam Byrne", "Fatima Zahra", "Pieter de Vries"),
    "Product": ("Tomás Herrera", "Lucía Fernández", "Sofia Rossi", "Diego Álvarez", "Inês Dubois",
                "Oskar Nowak"),
    "Data": ("Noah Kim", "Arjun Mehta", "Mei Lin Chen"),
    "Mobile": ("Elena Petrova", "Chloé Martin", "Hana Sato"),
}  # fmt: skip
"""Who is in which; the others are in none."""
