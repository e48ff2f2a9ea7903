// People log in with a provider that others have written and certified, whichever way it signs.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { startGateway } from "../sdk/node/gateway_process.mjs";
import { Browser, CLIENT, open, reserve, visit } from "./provider.mjs";

const CONFIG = (issuer) => `
[signup]
mode = "open"

[oidc]
issuer = "${issuer}"
client_id = "${CLIENT.client_id}"
client_secret = "${CLIENT.client_secret}"
name = "oidc-provider"
`;

async function world(algorithm) {
  const place = await reserve();
  const gateway = await startGateway(CONFIG(place.issuer));
  open(place, `${gateway.url}/api/v1/auth/oidc/callback`, algorithm);
  after(async () => {
    place.server.closeAllConnections();
    place.server.close();
    assert.equal(await gateway.stop(), 0);
  });
  return { gateway, issuer: place.issuer };
}

/** Somebody comes by way of the provider: their browser, and the page on which that ended. */
async function comes({ gateway, issuer }, who) {
  const browser = new Browser();
  const begun = await browser.send(`${gateway.url}/api/v1/auth/oidc/login`);
  assert.equal(begun.status, 303, await begun.text());
  const back = await visit(issuer, begun.headers.get("location"), who);
  assert.ok(back.startsWith(`${gateway.url}/api/v1/auth/oidc/callback?`), back);
  const page = await browser.send(back);
  return { browser, back, status: page.status, text: await page.text() };
}

for (const algorithm of ["RS256", "ES256"]) {
  test(`who comes has an account, and comes to it again (${algorithm})`, async () => {
    const here = await world(algorithm);
    const first = await comes(here, "ada");
    assert.equal(first.status, 200, first.text);
    const session = await (await first.browser.send(`${here.gateway.url}/api/v1/auth/session`)).json();
    assert.deepEqual(
      [session.person.email, session.person.name, session.person.verified, session.organisations[0].role],
      ["ada@example.com", "Somebody called ada", true, "owner"],
    );
    const again = await comes(here, "ada");
    const same = await (await again.browser.send(`${here.gateway.url}/api/v1/auth/session`)).json();
    assert.equal(same.person.id, session.person.id);
    // The answer is of no use a second time, to this browser or another.
    assert.equal((await first.browser.send(first.back)).status, 400);
    assert.equal((await again.browser.send(first.back)).status, 400);
    const tested = await here.gateway.operator("POST", "/oidc/test");
    assert.equal(tested.ok, true, tested.message);
  });
}

test("who cancels there, or whose address isn't confirmed there, is told so", async () => {
  const here = await world("RS256");
  const cancelled = await comes(here, undefined);
  assert.equal(cancelled.status, 403);
  assert.match(cancelled.text, /did not let you in/);
  const unconfirmed = await comes(here, "eve");
  assert.equal(unconfirmed.status, 403);
  assert.match(unconfirmed.text, /Your address is not confirmed/);
});
