import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { createHandler, type Routes } from "../../lib/http/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { newSigner } from "../support/keys.ts";
import { silentLog } from "../support/silent_log.ts";

const { npub, pubkey } = newSigner();

function handler(overrides: Partial<Routes> = {}) {
  const answer = createHandler({
    site: {
      name: `relay "><img src=x>`,
      description: "test",
      domain: "git.example.org",
      scheme: "https",
      version: "0",
      supportedGrasps: ["GRASP-01"],
      supportedNips: [1, 11],
      acceptance: "None",
      curation: undefined,
    },
    git: () => undefined,
    isUpgrade: () => false,
    relay: () => new Response(),
    relayInformation: () => undefined,
    clientAddress: (_request, peer) => peer,
    repositoryExists: (owner) => Promise.resolve(owner === pubkey),
    metrics: () => Promise.resolve(undefined),
    failingChecks: () => Promise.resolve([]),
    finished: () => {},
    clock: systemClock,
    requestId: () => "request-1",
    log: silentLog,
    ...overrides,
  });
  return (path: string, init?: RequestInit) => answer(new Request(`http://h${path}`, init), "127.0.0.1");
}

Deno.test("G-6 G-7 H-1 H-2 IO-38 OPTIONS is 204 with the CORS headers, on any path, without lookup", async () => {
  const request = handler({ repositoryExists: () => Promise.reject(new Error("looked up")) });
  for (const path of ["/", `/${npub}/x.git`, `/${npub}/x.git/info/refs`, "/nonexistent"]) {
    const response = await request(path, { method: "OPTIONS" });
    strictEqual(response.status, 204);
    strictEqual(await response.text(), "");
    const allowed = response.headers.get("Access-Control-Allow-Headers")!.toLowerCase();
    for (
      const name of [
        "git-protocol",
        "authorization",
        "accept",
        "content-type",
        "content-encoding",
        "x-requested-with",
      ]
    ) {
      ok(allowed.includes(name));
    }
  }
});

Deno.test("G-5 H-3 H-39 every response carries the common headers exactly once, faults included", async () => {
  const request = handler({ git: () => Promise.reject(new Error("/secret/path exploded")) });
  const cases: [string, RequestInit | undefined, number][] = [
    ["/", undefined, 200],
    ["/nope", undefined, 404],
    ["/", { method: "DELETE" }, 405],
    [`/${npub}/%ff.git`, undefined, 400],
    [`/${npub}/x.git/info/refs`, undefined, 500],
    ["/readyz", undefined, 200],
  ];
  for (const [path, init, status] of cases) {
    const response = await request(path, init);
    strictEqual(response.status, status, path);
    strictEqual(response.headers.get("Access-Control-Allow-Origin"), "*");
    strictEqual(response.headers.get("Server"), "ngit-grasp");
    strictEqual(response.headers.get("X-Content-Type-Options"), "nosniff");
    ok(!(await response.text()).includes("/secret/path"));
  }
});

Deno.test("H-37 a handler that throws gives 500 with a request id and nothing internal", async () => {
  const response = await handler({ git: () => Promise.reject(new Error("boom")) })(
    `/${npub}/x.git/info/refs`,
  );
  strictEqual(await response.text(), "internal error, request request-1\n");
});

Deno.test("G-10 H-21 what strangers write appears only escaped", async () => {
  const request = handler();
  for (
    const path of [
      `/${npub}/%3Cscript%3Ealert(1)%3C%2Fscript%3E.git`,
      "/%3Cscript%3E",
      "/",
      `/<script>/x.git`,
    ]
  ) {
    const text = await (await request(path)).text();
    ok(!/<script|<img/i.test(text), path);
  }
});

Deno.test("H-18 H-19 H-20 repository pages show the decoded name, encoded URLs, and 404 for unknown ones", async () => {
  const request = handler();
  const page = await request(`/${npub}/my%20repo%20%E2%9C%93.git`);
  strictEqual(page.status, 200);
  const text = await page.text();
  match(text, /my repo ✓/);
  match(text, new RegExp(`git clone https://git.example.org/${npub}/my%20repo%20%E2%9C%93.git`));
  match(text, new RegExp(`git clone nostr://${npub}/git.example.org/my%20repo%20%E2%9C%93`));
  match(text, new RegExp(`https://gitworkshop.dev/${npub}/git.example.org/my%20repo%20%E2%9C%93`));
  for (
    const path of [
      `/${newSigner().npub}/x.git`,
      "/npub1invalid/x.git",
      `/${npub}/%2e%2e.git`,
      `/${npub}/..%2Fx.git`,
    ]
  ) {
    const missing = await request(path);
    strictEqual(missing.status, 404, path);
    match(await missing.text(), /Repository Not Found|Page Not Found/);
  }
});

Deno.test("H-23 H-33 H-34 other paths, methods and HEAD", async () => {
  const request = handler();
  match(await (await request("/a/b/c")).text(), /Page Not Found/);
  const refused = await request("/metrics", { method: "POST" });
  deepStrictEqual([refused.status, refused.headers.get("Allow")], [405, "GET, HEAD, OPTIONS"]);
  for (const path of ["/", `/${npub}/x.git`, "/nope"]) {
    const [get, head] = [await request(path), await request(path, { method: "HEAD" })];
    strictEqual(head.status, get.status);
    strictEqual(head.headers.get("Content-Type"), get.headers.get("Content-Type"));
    strictEqual(head.headers.get("Content-Length"), String((await get.arrayBuffer()).byteLength));
    strictEqual(await head.text(), "");
  }
});

Deno.test("H-29 readiness names what fails; liveness checks nothing", async () => {
  const request = handler({ failingChecks: () => Promise.resolve(["db"]) });
  const ready = await request("/readyz");
  deepStrictEqual([ready.status, await ready.json()], [503, { status: "not_ready", failing: ["db"] }]);
  strictEqual((await request("/healthz")).status, 200);
});
