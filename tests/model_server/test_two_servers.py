"""Two real model servers behind one model: one killed before the request, and one in the middle of a stream."""

import json

import pytest

from gateway_process import Gateway, call, events
from model_server import ModelServer

CONFIG = """
[limits]
micro_wait_ms = 0

[[providers]]
name = "first"
kind = "llama_cpp"
base_url = "{first}/v1"

[[providers]]
name = "second"
kind = "llama_cpp"
base_url = "{second}/v1"

[[models]]
id = "smollm2-135m"
parameters_b = 0.135
context_window = 1024
targets = [
    {{ provider = "first", model = "smollm2", priority = 0 }},
    {{ provider = "second", model = "smollm2", priority = 1 }},
]

[[plans]]
id = "tests"
limits = [{{ category = "small", rpm = 1000, tpm = 100000 }}]
"""


@pytest.fixture
def servers():
    servers = [ModelServer(), ModelServer()]
    yield servers
    for server in servers:
        server.kill()


@pytest.fixture
def gateway(servers):
    first, second = servers
    gateway = Gateway(CONFIG.format(first=first.url, second=second.url))
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def org(gateway):
    return gateway.org("tests")


def chat(text, **more):
    return {"model": "smollm2-135m", "messages": [{"role": "user", "content": text}], "temperature": 0, **more}


def settled(org, totals):
    """Nothing is held any more, and exactly what is written down counts."""
    tokens, requests = org.limits("tokens"), org.limits("requests")
    assert (tokens["held"], tokens["used"]) == (0, totals["input_tokens"] + totals["output_tokens"])
    assert requests["used"] == totals["requests"]


def test_a_server_killed_before_the_request_costs_the_client_nothing(servers, gateway, org):
    first, second = servers
    url = f"{gateway.base_url}/chat/completions"
    # Once while it lives, so that the gateway has a connection to it that dies with it.
    _, whole = call("POST", url, org.key, chat("What is the capital of France?", max_tokens=8))
    used = whole["usage"]
    assert first.counters() == {"input": used["prompt_tokens"], "output": used["completion_tokens"]}
    assert second.counters() == {"input": 0, "output": 0}
    first.kill()

    answers = [call("POST", url, org.key, chat("What is the capital of France?", max_tokens=8))[1]["usage"] for _ in range(3)]
    pieces = list(events(url, org.key, chat("Count to five.", stream=True, max_tokens=8)))
    assert pieces[-1] == "[DONE]"
    assert not any("error" in json.loads(piece) for piece in pieces[:-1])

    totals = org.totals(lambda totals: totals["requests"] == 5)
    assert (totals["refused"], totals["failed"]) == (0, 0)
    by_second = second.counters()
    assert by_second["output"] >= sum(answer["completion_tokens"] for answer in answers)
    # What the first one did is known from its answer; all the rest is what the second has counted.
    assert totals["input_tokens"] == used["prompt_tokens"] + by_second["input"]
    assert totals["output_tokens"] == used["completion_tokens"] + by_second["output"]
    settled(org, totals)


def test_a_server_killed_in_mid_stream_ends_the_stream_and_no_other_goes_on_with_it(servers, gateway, org):
    first, second = servers
    url = f"{gateway.base_url}/chat/completions"
    stream = events(url, org.key, chat("Tell me a very long story about the sea.", stream=True, max_tokens=900))
    seen = [json.loads(next(stream)) for _ in range(5)]
    first.kill()
    rest = [json.loads(piece) for piece in stream]
    assert isinstance(rest[-1]["error"], dict) and rest[-1]["error"]["message"]
    assert second.counters() == {"input": 0, "output": 0}, "nobody else was asked after the first byte"
    chunks = seen + rest[:-1]
    assert len({chunk["id"] for chunk in chunks}) == 1, "one provider's words only"

    totals = org.totals(lambda totals: totals["requests"] == 1)
    words = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    # A token of this model has no more than 16 letters; whoever was sent words is charged for them.
    assert totals["output_tokens"] >= max(3, len(words) // 16)
    settled(org, totals)

    _, whole = call("POST", url, org.key, chat("What is the capital of France?", max_tokens=8))
    used = whole["usage"]
    assert second.counters() == {"input": used["prompt_tokens"], "output": used["completion_tokens"]}
    after = org.totals(lambda totals: totals["requests"] == 2)
    assert after["input_tokens"] - totals["input_tokens"] == used["prompt_tokens"]
    assert after["output_tokens"] - totals["output_tokens"] == used["completion_tokens"]
    settled(org, after)
