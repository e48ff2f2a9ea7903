"""LangChain's OpenAI classes against the gateway, set up as their documentation says for compatible servers."""

import time

import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings


def chat(gateway, org, **more):
    return ChatOpenAI(base_url=gateway.base_url, api_key=org.key, model="acme/small", max_tokens=16, **more)


def test_invoke(gateway, org):
    answer = chat(gateway, org).invoke("What does a tide gate do?")
    assert answer.content
    totals = org.totals(lambda totals: totals["requests"] == 1)
    assert answer.usage_metadata["total_tokens"] == totals["input_tokens"] + totals["output_tokens"]


def test_stream(gateway, org):
    pieces = list(chat(gateway, org).stream("What does a tide gate do?"))
    assert len(pieces) > 2
    assert "".join(piece.content for piece in pieces)


def test_stream_with_usage(gateway, org):
    whole = None
    for piece in chat(gateway, org, stream_usage=True).stream("What does a tide gate do?"):
        whole = piece if whole is None else whole + piece
    totals = org.totals(lambda totals: totals["requests"] == 1)
    assert whole.usage_metadata["input_tokens"] == totals["input_tokens"]
    assert whole.usage_metadata["output_tokens"] == totals["output_tokens"]


def test_embeddings(gateway, org):
    # Without the check of lengths nothing is fetched to count tokens with.
    embeddings = OpenAIEmbeddings(base_url=gateway.base_url, api_key=org.key, model="acme/small", check_embedding_ctx_length=False)
    vectors = embeddings.embed_documents(["a ship", "a boat"])
    assert len(vectors) == 2
    assert len(vectors[0]) == len(embeddings.embed_query("a ship")) > 0


def test_a_batch(gateway, org):
    answers = chat(gateway, org).batch([f"Question {n}" for n in range(8)])
    assert len(answers) == 8 and all(answer.content for answer in answers)


@pytest.mark.parametrize("how", ["invoke", "stream"])
def test_its_own_back_off_rides_over_a_refusal(gateway, one_in_three_seconds, how):
    org = one_in_three_seconds
    model = chat(gateway, org)
    model.invoke("first")
    start = time.monotonic()
    if how == "invoke":
        assert model.invoke("second").content
    else:
        assert "".join(piece.content for piece in model.stream("second"))
    assert time.monotonic() - start > 0.5
    totals = org.totals(lambda totals: totals["requests"] == 2)
    assert (totals["refused"], totals["failed"]) == (1, 0)
