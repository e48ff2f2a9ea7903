"""A real model server behind the gateway: chat, stream, embeddings, usage equal on both sides, the server killed in mid-stream."""

import json

import pytest

from gateway_process import Gateway, call, events
from model_server import ModelServer


CONFIG = """
[limits]
micro_wait_ms = 0

[[providers]]
name = "llama"
kind = "llama_cpp"
base_url = "{url}/v1"

[[models]]
id = "smollm2-135m"
parameters_b = 0.135
context_window = 1024
targets = [{{ provider = "llama", model = "smollm2" }}]

[[plans]]
id = "tests"
limits = [{{ category = "small", rpm = 1000, tpm = 100000 }}]
"""

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture
def server():
    server = ModelServer()
    yield server
    server.kill()


@pytest.fixture
def gateway(server):
    gateway = Gateway(CONFIG.format(url=server.url))
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def org(gateway):
    return gateway.org("tests")


def chat(**more):
    return {"model": "smollm2-135m", "messages": QUESTION, "max_tokens": 16, "temperature": 0, **more}


def test_chat_stream_and_embeddings_with_usage_equal_on_both_sides(server, gateway, org):
    url = gateway.base_url
    _, direct = call("POST", f"{server.url}/v1/chat/completions", "", chat(model="smollm2"))
    text = direct["choices"][0]["message"]["content"]
    before = server.counters()

    _, whole = call("POST", f"{url}/chat/completions", org.key, chat())
    assert whole["model"] == "smollm2-135m"
    assert whole["choices"][0]["message"]["content"] == text, "what the server itself says to this, at temperature 0"
    reported = [whole["usage"]]

    pieces = list(events(f"{url}/chat/completions", org.key, chat(stream=True, stream_options={"include_usage": True})))
    assert pieces[-1] == "[DONE]"
    chunks = [json.loads(piece) for piece in pieces[:-1]]
    assert all(chunk["model"] == "smollm2-135m" for chunk in chunks)
    streamed = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert streamed == text
    assert chunks[-1]["choices"] == []
    reported.append(chunks[-1]["usage"])

    _, vectors = call("POST", f"{url}/embeddings", org.key, {"model": "smollm2-135m", "input": ["a ship", "a boat", "tax law"]})
    ship, boat, law = (item["embedding"] for item in vectors["data"])
    assert len(ship) == len(law) > 100
    assert cosine(ship, boat) > cosine(ship, law)
    reported.append(vectors["usage"])

    totals = org.totals(lambda totals: totals["requests"] == 3)
    assert (totals["refused"], totals["failed"]) == (0, 0)
    mine = {"input": totals["input_tokens"], "output": totals["output_tokens"]}
    clients = {
        "input": sum(usage["prompt_tokens"] for usage in reported),
        "output": sum(usage.get("completion_tokens", 0) for usage in reported),
    }
    after = server.counters()
    assert mine == clients == {name: after[name] - before[name] for name in after}
    tokens = org.limits("tokens")
    assert (tokens["used"], tokens["held"]) == (mine["input"] + mine["output"], 0)


def test_a_stream_without_asked_usage_has_none_and_is_counted_all_the_same(server, gateway, org):
    pieces = list(events(f"{gateway.base_url}/chat/completions", org.key, chat(stream=True)))
    chunks = [json.loads(piece) for piece in pieces[:-1]]
    assert all(chunk["choices"] for chunk in chunks), "a usage chunk that nobody asked for"
    totals = org.totals(lambda totals: totals["requests"] == 1)
    assert {"input": totals["input_tokens"], "output": totals["output_tokens"]} == server.counters()


def test_the_server_killed_in_mid_stream_is_an_in_band_error_and_settled(server, gateway, org):
    long = chat(stream=True, max_tokens=900, messages=[{"role": "user", "content": "Tell me a very long story about the sea."}])
    stream = events(f"{gateway.base_url}/chat/completions", org.key, long)
    seen = [json.loads(next(stream)) for _ in range(5)]
    assert all("error" not in chunk for chunk in seen)
    server.kill()
    rest = list(stream)
    assert rest[-1] != "[DONE]"
    error = json.loads(rest[-1])["error"]
    assert isinstance(error, dict) and error["message"]
    assert "rate limited" not in rest[-1]

    totals = org.totals(lambda totals: totals["requests"] == 1)
    assert totals["output_tokens"] >= 3
    tokens = org.limits("tokens")
    assert tokens["held"] == 0
    assert tokens["used"] == totals["input_tokens"] + totals["output_tokens"]


def cosine(a, b):
    dot = lambda x, y: sum(i * j for i, j in zip(x, y))
    return dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5
