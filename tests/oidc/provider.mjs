// A certified OpenID Connect provider of others on a port of its own, and somebody's browser on its pages. It knows nothing of the gateway.

import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

import Provider from "oidc-provider";

export const CLIENT = { client_id: "tidegate", client_secret: "the secret/of:the+client" };

/** A port on which nothing answers yet: the provider has to know its clients, which have to know where it is. */
export async function reserve() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, issuer: `http://127.0.0.1:${server.address().port}` };
}

/** Answers there from now on, as a provider that signs with this algorithm. */
export function open({ server, issuer }, redirectUri, algorithm) {
  const provider = new Provider(issuer, {
    clients: [
      {
        ...CLIENT,
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code"],
        response_types: ["code"],
        id_token_signed_response_alg: algorithm,
      },
    ],
    jwks: { keys: [key("RS256"), key("ES256")] },
    cookies: { keys: ["a key of the tests"] },
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== "eve", name: `Somebody called ${id}` }),
    }),
    features: { devInteractions: { enabled: true } },
  });
  server.on("request", provider.callback());
}

function key(alg) {
  const { privateKey } =
    alg === "RS256" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...privateKey.export({ format: "jwk" }), use: "sig", alg, kid: `key-${alg}` };
}

/** A browser that keeps the cookies of one server, and follows nothing by itself. */
export class Browser {
  cookies = new Map();

  async send(url, options = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { ...options, redirect: "manual", headers: { ...options.headers, cookie } });
    for (const given of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(given);
      if (value === "") this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }
}

/** Logs in on the provider's pages, or cancels where `who` is nobody; the address that the browser is sent back to. */
export async function visit(issuer, url, who) {
  const browser = new Browser();
  let answer = await browser.send(url);
  for (let steps = 0; steps < 12; steps += 1) {
    const location = answer.headers.get("location");
    if (location !== null) {
      const next = new URL(location, issuer);
      if (next.origin !== issuer) return next.href;
      answer = await browser.send(next);
      continue;
    }
    const page = await answer.text();
    const [, action] = /action="([^"]+)"/.exec(page) ?? [];
    const [, prompt] = /name="prompt" value="([^"]+)"/.exec(page) ?? [];
    if (action === undefined) throw new Error(`${answer.status}: no form on ${page}`);
    if (who === undefined) {
      answer = await browser.send(new URL(`${action}/abort`, issuer));
      continue;
    }
    const form = prompt === "login" ? { prompt, login: who, password: "anything" } : { prompt };
    answer = await browser.send(new URL(action, issuer), {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
    });
  }
  throw new Error("the provider's pages lead nowhere");
}
