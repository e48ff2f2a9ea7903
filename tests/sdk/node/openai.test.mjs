// The OpenAI SDK for Node, as a customer uses it: only baseURL and apiKey are changed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { startBreakingProvider } from "./breaking_provider.mjs";
import { startGateway } from "./gateway_process.mjs";

const CONFIG = (breaking) => `
[limits]
micro_wait_ms = 0

[[providers]]
name = "demo"
kind = "demo"

[[providers]]
name = "breaking"
kind = "openai"
base_url = "${breaking}/v1"
api_key = "unused"

[[models]]
id = "acme/small"
aliases = ["tiny"]
category = "small"
targets = [{ provider = "demo" }]

[[models]]
id = "acme/large"
category = "large"
targets = [{ provider = "demo" }]

[[models]]
id = "acme/breaking"
category = "small"
targets = [{ provider = "breaking" }]

[[plans]]
id = "tests"
limits = [{ category = "small", rpm = 1000, tpm = 100000 }]
`;

const messages = [{ role: "user", content: "What does a tide gate do?" }];
const ONE_IN_THREE_SECONDS = [{ category: "small", rpm: 1, window_seconds: 3 }];

let breaking;
let gateway;
before(async () => {
  breaking = await startBreakingProvider();
  gateway = await startGateway(CONFIG(breaking.url));
});
after(async () => {
  assert.equal(await gateway.stop(), 0);
  breaking.close();
});

const client = (org, more = {}) => new OpenAI({ baseURL: gateway.baseURL, apiKey: org.key, ...more });
const chat = (org, more = {}, options = {}) =>
  client(org, options).chat.completions.create({ model: "acme/small", messages, max_tokens: 8, ...more });

test("chat", async () => {
  const org = await gateway.org("tests");
  const answer = await chat(org, { model: "tiny" });
  assert.equal(answer.model, "tiny");
  assert.ok(answer.choices[0].message.content);
  const totals = await gateway.totals(org, (totals) => totals.requests === 1);
  assert.equal(totals.input_tokens, answer.usage.prompt_tokens);
  assert.equal(totals.output_tokens, answer.usage.completion_tokens);
});

test("stream", async () => {
  const org = await gateway.org("tests");
  let text = "";
  let chunks = 0;
  for await (const chunk of await chat(org, { stream: true })) {
    assert.equal(chunk.choices.length, 1, "a usage chunk that was not asked for breaks callers");
    text += chunk.choices[0].delta.content ?? "";
    chunks += 1;
  }
  assert.ok(text);
  assert.ok(chunks > 2);
});

test("stream with usage", async () => {
  const org = await gateway.org("tests");
  let usage;
  for await (const chunk of await chat(org, { stream: true, stream_options: { include_usage: true } })) usage = chunk.usage ?? usage;
  const totals = await gateway.totals(org, (totals) => totals.requests === 1);
  assert.equal(totals.input_tokens, usage.prompt_tokens);
  assert.equal(totals.output_tokens, usage.completion_tokens);
});

test("a stream that the caller aborts is settled", async () => {
  const org = await gateway.org("tests");
  const stream = await chat(org, { stream: true, max_tokens: 2000 });
  for await (const _ of stream) break;
  const totals = await gateway.totals(org, (totals) => totals.requests === 1);
  const { data } = await gateway.operator("GET", `/orgs/${org.id}/limits`);
  const tokens = data.find((view) => view.kind === "tokens");
  assert.equal(tokens.held, 0);
  assert.equal(tokens.used, totals.input_tokens + totals.output_tokens);
});

test("embeddings", async () => {
  const org = await gateway.org("tests");
  // The SDK asks for base64 by itself; a caller sees numbers either way.
  for (const more of [{}, { encoding_format: "float" }]) {
    const answer = await client(org).embeddings.create({ model: "acme/small", input: ["a ship", "a boat"], ...more });
    assert.equal(answer.data.length, 2);
    assert.ok(answer.data[0].embedding.length > 0);
    assert.ok(answer.data[0].embedding.every((x) => typeof x === "number" && Number.isFinite(x)));
  }
});

test("models are those of the plan without aliases", async () => {
  const org = await gateway.org("tests");
  const ids = new Set();
  for await (const model of client(org).models.list()) ids.add(model.id);
  assert.ok(ids.has("acme/breaking") && ids.has("acme/small"));
  assert.ok(!ids.has("acme/large") && !ids.has("tiny"));
  assert.equal((await client(org).models.retrieve("acme/small")).id, "acme/small");
});

for (const stream of [false, true]) {
  test(`its own back-off rides over a refusal, stream: ${stream}`, async () => {
    const org = await gateway.org("tests", ONE_IN_THREE_SECONDS);
    await chat(org);
    const start = performance.now();
    const answer = await chat(org, { stream });
    if (stream) for await (const _ of answer);
    const waited = performance.now() - start;
    assert.ok(waited > 500, `waited ${waited} ms`);
    const totals = await gateway.totals(org, (totals) => totals.requests === 2);
    assert.deepEqual([totals.refused, totals.failed], [1, 0]);
  });
}

test("a refusal is a RateLimitError with the announced time", async () => {
  const org = await gateway.org("tests", ONE_IN_THREE_SECONDS);
  await chat(org);
  await assert.rejects(chat(org, {}, { maxRetries: 0 }), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.match(error.message, /acme\/small model is rate limited until 20/);
    const after = Number(error.headers.get("retry-after"));
    assert.ok(after >= 1 && after <= 3);
    return true;
  });
  await assert.rejects(chat(org, {}, { maxRetries: 0, defaultHeaders: { "X-Error-Format": "openai" } }), { code: "rate_limit_exceeded" });
});

test("errors have the SDK's own classes and are not tried again", async () => {
  const org = await gateway.org("tests");
  let requests = 0;
  const counting = { fetch: (...args) => ((requests += 1), fetch(...args)) };
  await assert.rejects(chat({ key: `tg_${"x".repeat(40)}` }, {}, counting), OpenAI.AuthenticationError);
  await assert.rejects(chat(org, { model: "acme/large" }, counting), OpenAI.PermissionDeniedError);
  await assert.rejects(chat(org, { model: "acme/smal" }, counting), OpenAI.NotFoundError);
  await assert.rejects(chat(org, { messages: [] }, counting), OpenAI.BadRequestError);
  assert.equal(requests, 4);
});

test("a provider that breaks in mid-stream is an error with its text", async () => {
  const org = await gateway.org("tests");
  let text = "";
  await assert.rejects(
    async () => {
      for await (const chunk of await chat(org, { model: "acme/breaking", stream: true }, { maxRetries: 0 })) {
        text += chunk.choices[0].delta.content ?? "";
      }
    },
    (error) => error instanceof OpenAI.APIError && error.message.length > 10,
  );
  assert.equal(text, "one two");
});
