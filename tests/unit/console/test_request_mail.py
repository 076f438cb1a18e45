"""What pages say of mail about budgets: it is promised only where it can go out."""

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World

from tidegate.services.audit import Actor
from tidegate.services.budget_fields import BudgetDraft
from tidegate.services.mail_form import MailForm

pytestmark = pytest.mark.slow

PROMISE = "You are told by mail."
NO_SERVER = "There is no mail server."


def test_mail_is_promised_where_there_is_a_server(world: World, owner: TestClient) -> None:
    services, organization_id = world.services, world.organization_id
    draft = BudgetDraft(amount_nusd=20_000_000_000)
    maya = Actor(world.owner_id)
    budget = services.budgets.create(organization_id, draft, by_role="owner", actor=maya)
    noah_id = world.enroll("noah@brightwater.dev").member_id
    asked = services.budget_requests.ask(
        organization_id, noah_id, budget.budget_id, amount_nusd=1, reason="", actor=Actor(noah_id)
    )
    noah = world.login(noah_id)
    page = f"/budgets/requests/{asked.request_id}"

    def shown() -> str:
        return owner.get(page, headers={"cookie": f"tidegate_login={noah}"}).text

    owner_login = owner.cookies["tidegate_login"]
    owner.cookies.clear()
    assert PROMISE not in shown()
    assert "This page shows what became of it." in shown()
    channels = owner.get("/alerts/channels", headers={"cookie": f"tidegate_login={owner_login}"})
    requests = channels.text.partition("Requests for more budget")[2]
    assert NO_SERVER in requests
    services.mail_settings.set(
        organization_id,
        MailForm(host="127.0.0.1", port="1", security="none", sender="tidegate@brightwater.dev"),
    )
    assert PROMISE in shown()
    services.budget_requests.decline(organization_id, asked.request_id, by_role="owner", actor=maya)
    services.alerts.delivery.run()
    channels = owner.get("/alerts/channels", headers={"cookie": f"tidegate_login={owner_login}"})
    requests = channels.text.partition("Requests for more budget")[2]
    assert NO_SERVER not in requests
    assert "1 waiting" in requests
    assert "Failed, and is tried again: 127.0.0.1 takes no connection on port 1." in requests
