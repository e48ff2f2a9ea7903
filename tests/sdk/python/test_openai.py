"""The OpenAI SDK for Python, as a customer uses it: only base_url and api_key are changed."""

import asyncio
import time

import openai
import pytest

QUESTION = [{"role": "user", "content": "What does a tide gate do?"}]


def client(gateway, key, **more):
    return openai.OpenAI(base_url=gateway.base_url, api_key=key, **more)


def test_chat(gateway, org):
    answer = client(gateway, org.key).chat.completions.create(model="acme/small", messages=QUESTION, max_tokens=16)
    assert answer.object == "chat.completion"
    assert answer.model == "acme/small"
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens > 0
    assert 0 < answer.usage.completion_tokens <= 16
    totals = org.totals(lambda totals: totals["requests"] == 1)
    assert (totals["input_tokens"], totals["output_tokens"]) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)


def test_the_answer_names_the_model_as_it_was_asked_for(gateway, org):
    answer = client(gateway, org.key).chat.completions.create(model="tiny", messages=QUESTION, max_tokens=4)
    assert answer.model == "tiny"


def test_completions(gateway, org):
    answer = client(gateway, org.key).completions.create(model="acme/small", prompt="A tide gate", max_tokens=8)
    assert answer.object == "text_completion"
    assert answer.choices[0].text


def test_stream(gateway, org):
    with client(gateway, org.key).chat.completions.create(
        model="acme/small", messages=QUESTION, max_tokens=16, stream=True
    ) as stream:
        chunks = list(stream)
    assert len(chunks) > 2
    assert all(chunk.choices for chunk in chunks), "a usage chunk that was not asked for breaks callers"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason


def test_stream_with_usage(gateway, org):
    stream = client(gateway, org.key).chat.completions.create(
        model="acme/small", messages=QUESTION, max_tokens=16, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = list(stream)
    assert all(chunk.usage is None for chunk in chunks)
    assert last.choices == []
    totals = org.totals(lambda totals: totals["requests"] == 1)
    assert (totals["input_tokens"], totals["output_tokens"]) == (last.usage.prompt_tokens, last.usage.completion_tokens)


def test_async_streams_side_by_side(gateway, org):
    async def one(client):
        stream = await client.chat.completions.create(model="acme/small", messages=QUESTION, max_tokens=8, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=org.key) as client:
            return await asyncio.gather(*(one(client) for _ in range(20)))

    assert all(asyncio.run(all_of_them()))
    assert org.totals(lambda totals: totals["requests"] == 20)["failed"] == 0


def test_a_stream_that_the_caller_closes_is_settled(gateway, org):
    stream = client(gateway, org.key).chat.completions.create(model="acme/small", messages=QUESTION, max_tokens=2000, stream=True)
    next(iter(stream))
    stream.close()
    totals = org.totals(lambda totals: totals["requests"] == 1)
    tokens = org.limits("tokens")
    assert tokens["held"] == 0
    assert tokens["used"] == totals["input_tokens"] + totals["output_tokens"]


def test_embeddings(gateway, org):
    answer = client(gateway, org.key).embeddings.create(model="acme/small", input=["a ship", "a boat"])
    assert [item.index for item in answer.data] == [0, 1]
    assert len(answer.data[0].embedding) == len(answer.data[1].embedding) > 0
    assert answer.usage.prompt_tokens > 0


def test_models_are_those_of_the_plan_without_aliases(gateway, org):
    models = client(gateway, org.key).models
    listed = {model.id for model in models.list()}
    assert listed >= {"acme/breaking", "acme/small"}
    assert not listed & {"acme/large", "tiny"}
    assert models.retrieve("acme/small").id == "acme/small"


def test_its_own_back_off_rides_over_a_refusal(gateway, one_in_three_seconds):
    org = one_in_three_seconds
    chat = client(gateway, org.key).chat.completions
    chat.create(model="acme/small", messages=QUESTION, max_tokens=4)
    start = time.monotonic()
    answer = chat.create(model="acme/small", messages=QUESTION, max_tokens=4)
    waited = time.monotonic() - start
    assert answer.choices[0].message.content
    assert waited > 0.5
    totals = org.totals(lambda totals: totals["requests"] == 2)
    assert totals["refused"] == 1, "one refusal, and the time announced was true"
    assert totals["failed"] == 0


def test_its_back_off_rides_over_a_refused_stream(gateway, one_in_three_seconds):
    org = one_in_three_seconds
    chat = client(gateway, org.key).chat.completions
    chat.create(model="acme/small", messages=QUESTION, max_tokens=4)
    stream = chat.create(model="acme/small", messages=QUESTION, max_tokens=4, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert org.totals(lambda totals: totals["requests"] == 2)["refused"] == 1


def refused(gateway, org, **more):
    chat = client(gateway, org.key, max_retries=0).chat.completions
    chat.create(model="acme/small", messages=QUESTION, max_tokens=4)
    with pytest.raises(openai.RateLimitError) as caught:
        chat.create(model="acme/small", messages=QUESTION, max_tokens=4, **more)
    return caught.value


def test_a_refusal_is_a_rate_limit_error(gateway, one_in_three_seconds):
    error = refused(gateway, one_in_three_seconds)
    assert error.status_code == 429
    assert error.response.json()["error"].startswith("acme/small model is rate limited until 20")
    assert 1 <= int(error.response.headers["retry-after"]) <= 3
    assert 0 < int(error.response.headers["retry-after-ms"]) <= 3000


def test_a_refusal_in_openai_s_shape_has_its_code(gateway, one_in_three_seconds):
    error = refused(gateway, one_in_three_seconds, extra_headers={"X-Error-Format": "openai"})
    assert error.code == "rate_limit_exceeded"
    assert "acme/small model is rate limited until 20" in error.message


def raises(kind, call, *words):
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.request.headers["x-stainless-retry-count"] == "0", "an error that waiting does not heal was tried again"
    text = str(caught.value)
    assert "rate limited" not in text
    for word in words:
        assert word in text
    return caught.value


def test_errors_have_the_sdk_s_own_classes(gateway, org):
    def chat(key=org.key, model="acme/small", messages=QUESTION, **more):
        return lambda: client(gateway, key).chat.completions.create(model=model, messages=messages, **more)

    unknown = raises(openai.AuthenticationError, chat(key="tg_" + "x" * 40))
    assert unknown.code == "invalid_api_key"
    key_id, revoked = org.new_key()
    org.revoke(key_id)
    raises(openai.AuthenticationError, chat(key=revoked))
    denied = raises(openai.PermissionDeniedError, chat(model="acme/large"), "everything")
    assert denied.code == "model_not_in_plan"
    missing = raises(openai.NotFoundError, chat(model="acme/smal"), "acme/small")
    assert missing.code == "model_not_found"
    raises(openai.BadRequestError, chat(messages=[]), "messages")
    raises(openai.BadRequestError, chat(temperature="hot", messages="hello"), "messages")
    assert org.totals(lambda totals: True)["requests"] == 0


def test_what_can_never_pass_is_not_tried_again(gateway):
    org = gateway.org("tests", [{"category": "small", "tpm": 50}])
    long = [{"role": "user", "content": "tide " * 500}]
    error = raises(openai.APIStatusError, lambda: client(gateway, org.key).chat.completions.create(model="acme/small", messages=long))
    assert (error.status_code, error.code) == (413, "request_exceeds_limit")


def test_a_provider_that_breaks_in_mid_stream_is_an_error_with_its_text(gateway, org):
    stream = client(gateway, org.key, max_retries=0).chat.completions.create(model="acme/breaking", messages=QUESTION, stream=True)
    seen = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            seen.append(chunk.choices[0].delta.content)
    assert seen == ["one", " two"]
    assert len(caught.value.message) > 10
