"""Connecting an organization with GitHub: one App of its own, made by a manifest or by hand.

Its secrets are sealed under a key that no gateway worker has, and are never shown again.
"""

import base64
from typing import Any, Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tidegate.services import github_addresses
from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.codes import LIFETIME_US, Purpose, hash_code
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import Conflict, InvalidCode, InvalidField, NotFound
from tidegate.services.github_addresses import Addresses, addresses
from tidegate.services.github_calls import Access, AppInfo, GithubCalls, GithubFault
from tidegate.services.github_events import clean
from tidegate.services.vault import SealBroken, Subkeys, hash_secret, new_token, seal, unseal
from tidegate.store.github import GithubApp
from tidegate.store.ports import Code, Store

_HOOK_CHARS: Final = 32
_LEAST_SECRET_CHARS: Final = 16
_MOST_SECRET_CHARS: Final = 200
_MOST_PEM_CHARS: Final = 20_000
_LEAST_RSA_BITS: Final = 2048
_MOST_ID: Final = 1 << 53
_OTHER_APP: Final = (
    "Another organization of this installation is connected with that App already. Make one of"
    " your own."
)


class Begun(msgspec.Struct, frozen=True):
    """What the browser is to send to GitHub, so that the App is made there."""

    action: str  # address
    manifest: str  # JSON
    origin: str  # of the address
    hook_url: str
    hooks_reach_us: bool


class AppForm(msgspec.Struct, frozen=True, kw_only=True):
    """An App that someone made by hand, as it was typed in. Never printed with its secrets."""

    web_url: str = ""
    app_id: str
    private_key: str
    webhook_secret: str = ""

    def __repr__(self) -> str:
        return f"AppForm({self.web_url}, {self.app_id})"


class Tried(msgspec.Struct, frozen=True):
    """Whether GitHub accepts the App, in a sentence."""

    ok: bool
    sentence: str


class GithubConnection(Service):
    """Makes, tests and ends the connection. Where it asks GitHub: not for an event loop."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        *,
        calls: GithubCalls,
        public_url: str,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._calls = calls
        self._public_url = public_url.rstrip("/")

    def app(self, organization_id: str) -> GithubApp | None:
        with self._directory.reading() as reads:
            return reads.github_app(organization_id)

    def hook_url(self, organization_id: str) -> str:
        """Where GitHub sends its webhooks to; the same for every App of an organization."""
        return f"{self._public_url}/webhooks/github/{self._hook_id(organization_id)}"

    def begin(self, organization_id: str, member_id: str, *, web_url: str, owner: str) -> Begun:
        """Prepare the making of an App; the state in it is good once, for this person."""
        where, named = addresses(web_url), _login(owner)
        self._refuse_connected(organization_id)
        with self._directory.reading() as reads:
            organization = reads.organization(organization_id)
        if organization is None:
            raise NotFound("There is no such organization.")
        state = self.make_state(organization_id, member_id, where.web_url)
        hook_url = self.hook_url(organization_id)
        manifest = github_addresses.manifest(
            organization_name=organization.name,
            public_url=self._public_url,
            hook_url=hook_url,
            web_url=where.web_url,
        )
        return Begun(
            action=where.new_app(named, state),
            manifest=msgspec.json.encode(manifest).decode(),
            origin=where.web_url,
            hook_url=hook_url,
            hooks_reach_us=github_addresses.is_reachable(self._public_url, where.web_url),
        )

    def finish(
        self, organization_id: str, member_id: str, *, state: str, code: str, actor: Actor
    ) -> GithubApp:
        """Take over the App that GitHub made of our manifest."""
        where = addresses(self.use_state(organization_id, member_id, state))
        self._refuse_connected(organization_id)
        try:
            info = self._calls.convert(where.api_url, code)
        except GithubFault as fault:
            raise Conflict(f"GitHub did not hand over the App. {fault} Begin again.") from None
        _refuse_bad_key(info.pem)
        return self._store_app(organization_id, where, info, actor)

    def connect(self, organization_id: str, form: AppForm, *, actor: Actor) -> GithubApp:
        """Connect with an App that was made by hand, if GitHub accepts its key."""
        where, app_id = addresses(form.web_url), _app_id(form.app_id)
        key, secret = form.private_key.strip(), _webhook_secret(form.webhook_secret)
        _refuse_bad_key(key)
        self._refuse_connected(organization_id)
        try:
            info = self._calls.app(Access(where.api_url, app_id, key))
        except GithubFault as fault:
            raise InvalidField(str(fault), field="" if not fault.status else "app_id") from None
        if info.id != app_id:
            raise InvalidField("The private key is of another App.", field="private_key")
        full = msgspec.structs.replace(info, pem=key, webhook_secret=secret, client_secret="")
        return self._store_app(organization_id, where, full, actor)

    def test(self, organization_id: str, *, actor: Actor) -> Tried:
        """Ask GitHub whether the App's key is good."""
        app = self._found(organization_id)
        try:
            info = self._calls.app(self.access(app))
            tried = Tried(True, f"GitHub accepts the App “{clean(info.name)}”.")
        except GithubFault as fault:
            tried = Tried(False, str(fault))
        with self._directory.changing() as change:
            detail = {"ok": "yes" if tried.ok else "no"}
            self._audit_organization(change, actor, "github_app.test", organization_id, detail)
        return tried

    def refresh(self, organization_id: str) -> None:
        """Have GitHub asked for everything soon."""
        self._found(organization_id)
        self._store.usage.forge.request_sync(organization_id, self._clock())

    def disconnect(self, organization_id: str, *, keep: bool, actor: Actor = COMMAND_LINE) -> None:
        """Forget the App with its secrets; what it told of pull requests is kept or goes too."""
        with self._directory.changing() as change:
            app = change.github_app(organization_id)
            if app is None:
                raise NotFound("GitHub is not connected.")
            change.delete_github_app(organization_id)
            detail = {"name": app.name, "kept": "yes" if keep else "no"}
            self._audit_organization(
                change, actor, "github_app.disconnect", organization_id, detail
            )
        self._calls.forget()
        self._store.usage.forge.forget_status(organization_id)
        if not keep:
            self._store.usage.forge.delete_all(organization_id)

    def access(self, app: GithubApp) -> Access:
        """What calls are made with. GithubFault if the key cannot be read."""
        return Access(app.api_url, app.app_id, self._unsealed(app, "private_key"))

    def webhook_secret(self, app: GithubApp) -> str:
        """Empty where there is none: then no webhook is believed."""
        return self._unsealed(app, "webhook_secret") if app.webhook_secret else ""

    def make_state(self, organization_id: str, member_id: str, told: str) -> str:
        """A word that comes back from GitHub with the browser; nobody else can make one."""
        at_us = self._clock()
        packed = base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")
        state = f"{new_token()}.{packed}"
        with self._directory.changing() as change:
            change.add_code(
                Code(
                    code_hash=hash_code(self._subkeys.login, Purpose.GITHUB, state),
                    purpose=Purpose.GITHUB,
                    organization_id=organization_id,
                    member_id=member_id,
                    created_us=at_us,
                    expires_us=at_us + LIFETIME_US[Purpose.GITHUB],
                )
            )
        return state

    def use_state(self, organization_id: str, member_id: str, state: str) -> str:
        """What was told with a state; it is good no more. InvalidCode if it never was."""
        code_hash = hash_code(self._subkeys.login, Purpose.GITHUB, state)
        with self._directory.changing() as change:
            code = change.use_code(code_hash, Purpose.GITHUB, self._clock())
        mine = (organization_id, member_id)
        if code is None or (code.organization_id, code.member_id) != mine:
            raise InvalidCode(
                "This way back from GitHub was used already, is older than an hour, or was begun by"
                " someone else. Begin again from the settings."
            )
        packed = state.partition(".")[2]
        return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()

    def _store_app(
        self, organization_id: str, where: Addresses, info: AppInfo, actor: Actor
    ) -> GithubApp:
        at_us = self._clock()
        app = GithubApp(
            organization_id=organization_id,
            hook_id=self._hook_id(organization_id),
            app_id=info.id,
            slug=clean(info.slug),
            name=clean(info.name) or clean(info.slug),
            api_url=where.api_url,
            web_url=where.web_url,
            private_key=self._sealed(organization_id, "private_key", info.pem),
            webhook_secret=self._sealed(
                organization_id, "webhook_secret", info.webhook_secret or ""
            ),
            client_id=clean(info.client_id),
            client_secret=self._sealed(organization_id, "client_secret", info.client_secret),
            created_us=at_us,
            updated_us=at_us,
        )
        with self._directory.changing() as change:
            if change.github_app(organization_id) is not None:
                raise Conflict("GitHub is connected already. Disconnect it first.")
            if change.github_app_by_id(where.web_url, info.id) is not None:
                raise Conflict(_OTHER_APP)
            change.put_github_app(app)
            detail = {"name": app.name, "app_id": str(app.app_id), "web_url": app.web_url}
            self._audit_organization(change, actor, "github_app.connect", organization_id, detail)
        self._store.usage.forge.forget_status(organization_id)
        self._store.usage.forge.request_sync(organization_id, at_us)
        return app

    def _found(self, organization_id: str) -> GithubApp:
        app = self.app(organization_id)
        if app is None:
            raise NotFound("GitHub is not connected.")
        return app

    def _refuse_connected(self, organization_id: str) -> None:
        if self.app(organization_id) is not None:
            raise Conflict("GitHub is connected already. Disconnect it first.")

    def _hook_id(self, organization_id: str) -> str:
        text = f"github webhooks {organization_id}"
        return hash_secret(self._subkeys.login, text)[:_HOOK_CHARS]

    def _sealed(self, organization_id: str, name: str, secret: str) -> bytes:
        context = f"github:{organization_id}:{name}"
        return seal(self._subkeys.reveal, secret, context=context) if secret else b""

    def _unsealed(self, app: GithubApp, name: str) -> str:
        context = f"github:{app.organization_id}:{name}"
        try:
            return unseal(self._subkeys.reveal, getattr(app, name), context=context)
        except SealBroken:
            raise GithubFault(
                "The App's key cannot be read with this master key. Disconnect GitHub and connect"
                " it anew."
            ) from None


def _login(text: str) -> str:
    """The name of an organization on GitHub, or nothing. InvalidField."""
    name = text.strip().removeprefix("@")
    plain = name.replace("-", "").replace("_", "")
    if name and not (len(name) <= 60 and plain.isascii() and plain.isalnum()):
        raise InvalidField(
            "Write the organization's name as in its address: github.com/NAME.", field="owner"
        )
    return name


def _app_id(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 17):
        raise InvalidField(
            "The App id is a number; it stands on the App's page under “About”.", field="app_id"
        )
    if not 0 < (number := int(digits)) < _MOST_ID:
        raise InvalidField("No App has this id.", field="app_id")
    return number


def _webhook_secret(text: str) -> str:
    secret = text.strip()
    if not secret:
        return ""
    if not _LEAST_SECRET_CHARS <= len(secret) <= _MOST_SECRET_CHARS:
        raise InvalidField(
            f"Take {_LEAST_SECRET_CHARS} characters or more, so that nobody guesses it.",
            field="webhook_secret",
        )
    return secret


def _refuse_bad_key(pem: str) -> None:
    """InvalidField for what is no RSA key that signatures can be trusted of."""
    try:
        if len(pem) > _MOST_PEM_CHARS:
            raise ValueError("too long")
        key: Any = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _LEAST_RSA_BITS:
        raise InvalidField(
            "This is no private key of an App. Paste the whole .pem file that GitHub gave you, with"
            " its first and last line.",
            field="private_key",
        )
