import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { newSigner } from "../support/keys.ts";
import { silentLog } from "../support/silent_log.ts";
import { handler, npub } from "./support.ts";

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

Deno.test("H-37 a handler that throws gives 500 with a request id found in the log, and nothing internal", async () => {
  const errors: unknown[] = [];
  const log = { ...silentLog, error: (_message: string, fields?: unknown) => void errors.push(fields) };
  const git = () => Promise.reject(new Error("boom"));
  const response = await handler({ git, log })(`/${npub}/x.git/info/refs`);
  strictEqual(await response.text(), "internal error, request request-1\n");
  deepStrictEqual(errors, [{ request_id: "request-1", method: "GET", error: "Error: boom" }]);
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
    ok(!/<script>alert|<script\/|<img src=x/i.test(text), path);
    strictEqual(text.match(/<script/gi)?.length, 1, "our own script alone");
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

Deno.test("H-23 H-34 other paths are the generic 404; HEAD is GET without the body", async () => {
  const request = handler();
  match(await (await request("/a/b/c")).text(), /Page Not Found/);
  for (const path of ["/", `/${npub}/x.git`, "/nope", "/icon.png", "/robots.txt", "/readyz"]) {
    const [get, head] = [await request(path), await request(path, { method: "HEAD" })];
    strictEqual(head.status, get.status);
    for (const name of ["Content-Type", "ETag", "Cache-Control", "Vary"]) {
      strictEqual(head.headers.get(name), get.headers.get(name), name);
    }
    strictEqual(head.headers.get("Content-Length"), String((await get.arrayBuffer()).byteLength));
    strictEqual(await head.text(), "");
  }
});

Deno.test("H-33 methods that a path does not know are 405 with Allow; POST / may ask for the document", async () => {
  const request = handler({
    relayInformation: (asked) =>
      asked.headers.get("accept") === "application/nostr+json" ? new Response("{}") : undefined,
  });
  for (
    const [path, method] of [["/metrics", "POST"], ["/", "DELETE"], ["/", "POST"], ["/icon.png", "PUT"], [
      `/${npub}/x.git`,
      "POST",
    ]] as const
  ) {
    const refused = await request(path, { method });
    deepStrictEqual([refused.status, refused.headers.get("Allow")], [405, "GET, HEAD, OPTIONS"], path);
  }
  const headers = { accept: "application/nostr+json" };
  strictEqual(await (await request("/", { method: "POST", headers })).text(), "{}");
  strictEqual((await request("/other", { method: "POST", headers })).status, 405);
});

Deno.test("H-4 the document is offered on / and unknown paths, not where something else lives", async () => {
  const request = handler({ relayInformation: () => new Response("{}") });
  for (const path of ["/", "/other", `/${newSigner().npub}/x`]) {
    strictEqual(await (await request(path)).text(), "{}", path);
  }
  for (
    const path of [
      `/${npub}/x.git`,
      "/npub1unknown/x.git",
      "/metrics",
      "/icon.png",
      "/robots.txt",
      "/healthz",
    ]
  ) {
    ok(await (await request(path)).text() !== "{}", path);
  }
  for (const path of ["/", "/nope"]) strictEqual((await handler()(path)).headers.get("Vary"), "Accept");
});

Deno.test("H-36 a repository has one address: a slash behind it or a missing .git redirect there", async () => {
  const request = handler();
  const encoded = "my%20repo%20%E2%9C%93";
  for (const path of [`/${npub}/${encoded}.git/`, `/${npub}/${encoded}`, `/${npub}/${encoded}/?tab=x`]) {
    const response = await request(path);
    deepStrictEqual(
      [response.status, response.headers.get("Location")],
      [308, `/${npub}/${encoded}.git`],
      path,
    );
  }
  const stranger = newSigner().npub;
  for (const path of [`/${stranger}/x.git/`, `/${stranger}/x`, `/${npub}`, `/${npub}/`, `/x/y`]) {
    strictEqual((await request(path)).status, 404, path);
  }
});

Deno.test("H-36 contributor paths are 404 while GRASP-06 is off, for every method and for upgrades", async () => {
  const request = handler({ isUpgrade: () => true });
  for (const path of [`/prs/${npub}/x.git/info/refs`, "/prs/", "/prs/x"]) {
    const response = await request(path);
    strictEqual(response.status, 404, path);
    strictEqual(response.headers.get("Content-Type"), "text/plain; charset=utf-8");
  }
});

Deno.test("malformed percent-encoding is 400 on every path", async () => {
  for (const path of ["/%zz", `/${npub}/%ff.git`, "/%c3%28/x"]) {
    strictEqual((await handler()(path)).status, 400, path);
  }
});

Deno.test("H-29 readiness names what fails; liveness checks nothing", async () => {
  const request = handler({ failingChecks: () => Promise.resolve(["db"]) });
  const ready = await request("/readyz");
  deepStrictEqual([ready.status, await ready.json()], [503, { status: "not_ready", failing: ["db"] }]);
  strictEqual((await request("/healthz")).status, 200);
});

Deno.test("H-31 details of readiness are for clients that may read metrics", async () => {
  const details = {
    readinessDetails: (client: string) => client === "127.0.0.1" ? { version: "1" } : undefined,
  };
  const inside = handler(details);
  deepStrictEqual(await (await inside("/readyz")).json(), { status: "ready", version: "1" });
  const outside = handler({ ...details, clientAddress: () => "203.0.113.1" });
  deepStrictEqual(await (await outside("/ready?verbose")).json(), { status: "ready" });
});
