"""Many clients of the OpenAI SDK on one gateway, each with one question, backing off as the SDK does by itself.

It knows the SDK and HTTP, nothing of gateways. What a client is told after a refusal can be replaced before the SDK sees it.
"""

import asyncio
import contextvars
import time
from dataclasses import dataclass, field

import httpx2
import openai

QUESTION = [{"role": "user", "content": "What does a tide gate do?"}]
# One that hasn't got its answer by then is no matter of back-off; the run fails.
TIMEOUT_SECONDS = 120


@dataclass
class Crowd:
    """Who asks, and when."""

    clients: int
    # Over so many seconds they begin, at even distances; 0: all at once.
    over_seconds: float
    # So many seconds after the first, all begin who haven't yet.
    rest_at_seconds: float = float("inf")
    max_retries: int = 2
    # Every other client takes its first refusal for an answer and never comes back.
    half_leave: bool = False
    # Beside them, one caller asks so many milliseconds after each of its answers, whatever it was told.
    deaf_every_ms: int | None = None
    # Replaces all that a refusal says about when to come again by this `Retry-After`, as a fixed window's constant answer.
    constant_retry_after: int | None = None
    # What every request carries besides.
    headers: dict = field(default_factory=dict)


@dataclass
class Asking:
    """One client's question: how often it was refused, and whether and when it ended with an answer."""

    comes_back: bool
    began: float = 0.0
    refusals: int = 0
    answered: bool = False
    ended: float = 0.0

    @property
    def waited(self) -> float:
        return self.ended - self.began


_ASKING: contextvars.ContextVar[Asking] = contextvars.ContextVar("asking")


class _Transport(httpx2.AsyncHTTPTransport):
    """Counts refusals by client, and replaces what they say."""

    def __init__(self, constant: int | None, **more):
        super().__init__(**more)
        self._constant = constant

    async def handle_async_request(self, request):
        answer = await super().handle_async_request(request)
        if answer.status_code == 429:
            _ASKING.get().refusals += 1
            if self._constant is not None:
                for name in ("retry-after-ms", "retry-after", "x-should-retry"):
                    answer.headers.pop(name, None)
                answer.headers["retry-after"] = str(self._constant)
        return answer


async def ask_all(base_url: str, key: str, model: str, crowd: Crowd) -> tuple[list[Asking], float]:
    """Every client's question, and the seconds until the last had its answer or had given up."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    transport = _Transport(crowd.constant_retry_after, limits=limits)
    async with openai.DefaultAsyncHttpxClient(transport=transport, timeout=TIMEOUT_SECONDS) as http:
        askings, asks = [], []
        for number in range(crowd.clients):
            asking = Asking(comes_back=not (crowd.half_leave and number % 2 == 1))
            retries = crowd.max_retries if asking.comes_back else 0
            client = openai.AsyncOpenAI(
                base_url=base_url, api_key=key, max_retries=retries, http_client=http, default_headers=crowd.headers, timeout=TIMEOUT_SECONDS
            )
            after = min(crowd.over_seconds * number / crowd.clients, crowd.rest_at_seconds)
            askings.append(asking)
            asks.append(_ask(client, model, after, asking))
        began = time.monotonic()
        deaf = asyncio.create_task(_ask_deaf(base_url, key, model, crowd.deaf_every_ms)) if crowd.deaf_every_ms else None
        await asyncio.gather(*asks)
        seconds = time.monotonic() - began
        if deaf:
            deaf.cancel()
        return askings, seconds


async def _ask_deaf(base_url: str, key: str, model: str, every_ms: int):
    """Asks until it is cancelled, and hears nothing. Without the SDK, which is dear."""
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}) as http:
        while True:
            await http.post(base_url + "/chat/completions", json={"model": model, "messages": QUESTION, "max_tokens": 16})
            await asyncio.sleep(every_ms / 1_000)


async def _ask(client: openai.AsyncOpenAI, model: str, after: float, asking: Asking):
    _ASKING.set(asking)
    await asyncio.sleep(after)
    asking.began = time.monotonic()
    try:
        answer = await client.chat.completions.create(model=model, messages=QUESTION, max_tokens=16)
        assert answer.choices[0].message.content
        asking.answered = True
    except openai.RateLimitError:
        asking.answered = False
    asking.ended = time.monotonic()
