"""The official `anthropic` and `openai` packages through the gateway, streaming and not."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from tests.wire.bills import Bill, totals
from tests.wire.scripts import FINAL_TEXT, TITLE_TEXT
from tests.wire.site import ORGANIZATION_SECRETS, Site

pytestmark = pytest.mark.wire

ASKED: Any = [{"role": "user", "content": "How high is the tide?"}]
NO_RETRY = 0


def anthropic_client(site: Site, key: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=site.server_url, api_key=key, max_retries=NO_RETRY)


def openai_client(site: Site, key: str) -> openai.OpenAI:
    url = f"{site.server_url}/v1"
    return openai.OpenAI(base_url=url, api_key=key, max_retries=NO_RETRY)


# Each returns the text and the usage that the package understood.
Call = Callable[[Site, str], tuple[str, Bill]]


def messages(site: Site, key: str) -> tuple[str, Bill]:
    with anthropic_client(site, key) as client:
        answer = client.messages.create(model="claude-opus-4-8", max_tokens=99, messages=ASKED)
    return answer.content[0].text, message_bill(answer)  # type: ignore[union-attr]


def messages_stream(site: Site, key: str) -> tuple[str, Bill]:
    with (
        anthropic_client(site, key) as client,
        client.messages.stream(model="claude-opus-4-8", max_tokens=99, messages=ASKED) as stream,
    ):
        text = "".join(stream.text_stream)
        return text, message_bill(stream.get_final_message())


def message_bill(answer: Any) -> Bill:
    usage = answer.usage
    return Bill(
        answer.model,
        input=usage.input_tokens,
        cache_write_5m=usage.cache_creation.ephemeral_5m_input_tokens,
        cache_write_1h=usage.cache_creation.ephemeral_1h_input_tokens,
        cache_read=usage.cache_read_input_tokens,
        output=usage.output_tokens,
    )


def responses(site: Site, key: str) -> tuple[str, Bill]:
    with openai_client(site, key) as client:
        answer = client.responses.create(model="gpt-5.5", input="How high is the tide?")
    return answer.output_text, response_bill(answer)


def responses_stream(site: Site, key: str) -> tuple[str, Bill]:
    with (
        openai_client(site, key) as client,
        client.responses.stream(model="gpt-5.5", input="How high is the tide?") as stream,
    ):
        answer = stream.until_done().get_final_response()
    return answer.output_text, response_bill(answer)


def response_bill(answer: Any) -> Bill:
    usage = answer.usage
    cached = usage.input_tokens_details.cached_tokens
    return Bill(
        answer.model,
        input=usage.input_tokens - cached,
        cache_read=cached,
        output=usage.output_tokens,
        reasoning=usage.output_tokens_details.reasoning_tokens,
    )


def chat(site: Site, key: str) -> tuple[str, Bill]:
    with openai_client(site, key) as client:
        answer = client.chat.completions.create(model="gpt-5", messages=ASKED)
    return answer.choices[0].message.content or "", chat_bill(answer)


def chat_stream(site: Site, key: str) -> tuple[str, Bill]:
    text, last = "", None
    with (
        openai_client(site, key) as client,
        client.chat.completions.create(
            model="gpt-5", messages=ASKED, stream=True, stream_options={"include_usage": True}
        ) as stream,
    ):
        for chunk in stream:
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            last = chunk
    return text, chat_bill(last)


def chat_bill(answer: Any) -> Bill:
    usage = answer.usage
    cached = usage.prompt_tokens_details.cached_tokens
    return Bill(
        answer.model,
        input=usage.prompt_tokens - cached,
        cache_read=cached,
        output=usage.completion_tokens,
        reasoning=usage.completion_tokens_details.reasoning_tokens,
    )


CALLS: list[Call] = [messages, messages_stream, responses, responses_stream, chat, chat_stream]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_call_is_served_and_metered(call: Call, site: Site) -> None:
    key = site.enroll("claude_code")
    mark = site.mark()

    text, seen = call(site, key.secret)

    [exchange] = mark.exchanges
    assert text in {FINAL_TEXT, TITLE_TEXT}
    assert seen == exchange.bill
    usage, due = key.usage(), totals([seen])
    assert {name: usage[name] for name in due} == due
    assert b"tg_" not in exchange.request.raw
    secret = ORGANIZATION_SECRETS["anthropic" if "message" in call.__name__ else "openai"]
    assert exchange.request.raw.count(secret.encode()) == 1


def test_a_chat_stream_without_usage_is_estimated(site: Site) -> None:
    key = site.enroll("opencode")
    with (
        openai_client(site, key.secret) as client,
        client.chat.completions.create(model="gpt-5", messages=ASKED, stream=True) as stream,
    ):
        text = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert text == TITLE_TEXT
    usage = key.usage()
    assert (usage["requests"], usage["estimated"]) == (1, 1)
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0
    assert usage["cost_nusd"] == usage["input_tokens"] * 1_250 + usage["output_tokens"] * 10_000


def test_what_is_no_request_is_served_and_not_counted(site: Site) -> None:
    key = site.enroll("claude_code")
    with anthropic_client(site, key.secret) as client:
        counted = client.messages.count_tokens(model="claude-opus-4-8", messages=ASKED)
        listed = list(client.models.list())
    assert counted.input_tokens > 1_000
    assert [model.id for model in listed] == ["claude-opus-4-8"]
    with openai_client(site, key.secret) as client_2:
        assert [model.id for model in client_2.models.list()] == ["gpt-5"]
    assert key.usage() == {"sessions": []}


def test_a_bearer_works_as_well(site: Site) -> None:
    key = site.enroll("claude_code")
    with anthropic.Anthropic(base_url=site.server_url, api_key=None, auth_token=key.secret) as it:
        it.messages.create(model="claude-opus-4-8", max_tokens=9, messages=ASKED)
    assert key.usage()["requests"] == 1


def test_refusals_are_exceptions_with_our_message(site: Site) -> None:
    with (
        anthropic_client(site, "tg_unknown") as client,
        pytest.raises(anthropic.PermissionDeniedError, match="This key is not valid"),
    ):
        client.messages.create(model="claude-opus-4-8", max_tokens=9, messages=ASKED)
    with (
        openai_client(site, "tg_unknown") as client_2,
        pytest.raises(openai.APIStatusError, match="This key is not valid"),
    ):
        client_2.chat.completions.create(model="gpt-5", messages=ASKED)
