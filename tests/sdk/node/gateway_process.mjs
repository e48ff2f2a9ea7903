// The built program as a child process, and what the tests ask of its operator API. It knows the contract, nothing of the code.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const OPERATOR_TOKEN = "tests-operator-token-0123456789abcdef";

/** Starts Tidegate on a free port with this configuration. */
export async function startGateway(config) {
  const binary = process.env.TIDEGATE_BIN;
  if (!binary) throw new Error("TIDEGATE_BIN names the program under test; `cargo xtask test` sets it");
  const folder = mkdtempSync(join(tmpdir(), "tidegate-test-"));
  writeFileSync(join(folder, "tidegate.toml"), config);
  const { PATH, HOME } = process.env;
  const args = ["serve", "--config", join(folder, "tidegate.toml"), "--listen", "127.0.0.1:0", "--data-dir", join(folder, "data")];
  const child = spawn(binary, args, {
    cwd: folder,
    env: { PATH, HOME, TIDEGATE_OPERATOR_TOKEN: OPERATOR_TOKEN },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  return new Gateway(child, exited, folder, await address(child));
}

/** The address that the program prints when it is ready. */
function address(child) {
  return new Promise((resolve, reject) => {
    let printed = "";
    const read = (text) => {
      printed += text;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(printed);
      if (found) resolve(found[0]);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}:\n${printed}`)));
  });
}

class Gateway {
  constructor(child, exited, folder, url) {
    this.child = child;
    this.exited = exited;
    this.folder = folder;
    this.url = url;
    this.baseURL = `${url}/v1`;
  }

  /** Asks it to end, as a service manager would; its exit status. */
  async stop() {
    this.child.kill("SIGTERM");
    const code = await this.exited;
    rmSync(this.folder, { recursive: true });
    return code;
  }

  /** One call of the operator API. */
  async operator(method, path, body) {
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  /** A new organisation with a key. */
  async org(plan, limits) {
    const { id } = await this.operator("POST", "/orgs", { name: "Tests", plan });
    if (limits) await this.operator("PUT", `/orgs/${id}/limits`, limits);
    const made = await this.operator("POST", `/orgs/${id}/keys`, { name: "test" });
    return { id, key: made.key, keyId: made.id };
  }

  /** Usage totals as soon as `until` accepts them, within the second that the contract gives. */
  async totals(org, until) {
    const deadline = performance.now() + 1000;
    for (;;) {
      const { totals } = await this.operator("GET", `/orgs/${org.id}/usage`);
      if (until(totals)) return totals;
      if (performance.now() > deadline) throw new Error(`usage after a second: ${JSON.stringify(totals)}`);
    }
  }
}
