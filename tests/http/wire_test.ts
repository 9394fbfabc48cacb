import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { handler, listening, npub, rawRequest } from "./support.ts";

const close = "Host: h\r\nConnection: close\r\n";

Deno.test("G-5 H-3 H-39 the common headers leave exactly once, whatever the answer", () =>
  listening({
    git: (_request, path) => {
      if (path.includes("/limited.git")) return Promise.resolve(new Response("slow down", { status: 429 }));
      return path.includes("/broken.git") ? Promise.reject(new Error("broken")) : undefined;
    },
    metrics: () => Promise.resolve(new Response("metrics")),
  }, async (port, listener) => {
    const icon = await rawRequest(port, `HEAD /icon.png HTTP/1.1\r\n${close}\r\n`);
    const cases: [number, string][] = [
      [200, `GET / HTTP/1.1\r\n${close}\r\n`],
      [200, `GET /metrics HTTP/1.1\r\n${close}\r\n`],
      [204, `OPTIONS /x HTTP/1.1\r\n${close}\r\n`],
      [308, `GET /${npub}/x HTTP/1.1\r\n${close}\r\n`],
      [304, `GET /icon.png HTTP/1.1\r\n${close}If-None-Match: ${icon.all("etag")[0]}\r\n\r\n`],
      [400, `GET /%zz HTTP/1.1\r\n${close}\r\n`],
      [404, `GET /nope HTTP/1.1\r\n${close}\r\n`],
      [404, `GET /npub1x/x.git HTTP/1.1\r\n${close}\r\n`],
      [405, `DELETE / HTTP/1.1\r\n${close}\r\n`],
      [413, `POST / HTTP/1.1\r\n${close}Content-Length: 70000\r\n\r\n`],
      [429, `GET /${npub}/limited.git/info/refs HTTP/1.1\r\n${close}\r\n`],
      [431, `GET / HTTP/1.1\r\n${close}X: ${"a".repeat(16_400)}\r\n\r\n`],
      [500, `GET /${npub}/broken.git/info/refs HTTP/1.1\r\n${close}\r\n`],
    ];
    for (const [status, request] of cases) {
      const answer = await rawRequest(port, request);
      const label = `${status} for ${request.slice(0, 40)}`;
      strictEqual(answer.status, status, label);
      deepStrictEqual(answer.all("access-control-allow-origin"), ["*"], label);
      deepStrictEqual(answer.all("access-control-allow-methods"), ["GET, POST, OPTIONS"], label);
      strictEqual(answer.all("access-control-allow-headers").length, 1, label);
      deepStrictEqual(answer.all("server"), ["ngit-grasp"], label);
      deepStrictEqual(answer.all("x-content-type-options"), ["nosniff"], label);
    }
    listener.refuse();
    const refused = await rawRequest(port, `GET / HTTP/1.1\r\nHost: h\r\n\r\n`);
    strictEqual(refused.status, 503);
    deepStrictEqual(refused.all("access-control-allow-origin"), ["*"]);
    deepStrictEqual([refused.all("retry-after"), refused.all("connection")], [["5"], ["close"]]);
    strictEqual((await rawRequest(port, `GET /healthz HTTP/1.1\r\n${close}\r\n`)).status, 200);
  }));

Deno.test("H-35 a chunked body over 64 KiB is 413 without being read to its end; a smaller one is read", () =>
  listening({}, async (port) => {
    const start = `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const piece = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    const endless = await rawRequest(port, start, Array.from({ length: 20 }, () => piece));
    strictEqual(endless.status, 413);
    const small = await rawRequest(port, start, [piece, piece, "0\r\n\r\n"]);
    strictEqual(small.status, 405);
    const exact = `POST / HTTP/1.1\r\n${close}Content-Length: 65536\r\n\r\n`;
    strictEqual((await rawRequest(port, exact, ["x".repeat(65_536)])).status, 405);
  }));

Deno.test("H-35 headers over 16 KiB are 431, many or long", () =>
  listening({}, async (port) => {
    const long = await rawRequest(port, `GET / HTTP/1.1\r\n${close}X: ${"a".repeat(16_384)}\r\n\r\n`);
    strictEqual(long.status, 431);
    const many = Array.from({ length: 200 }, (_, index) => `X${index}: ${"a".repeat(100)}\r\n`).join("");
    strictEqual((await rawRequest(port, `GET / HTTP/1.1\r\n${close}${many}\r\n`)).status, 431);
    const fitting = await rawRequest(port, `GET / HTTP/1.1\r\n${close}X: ${"a".repeat(15_000)}\r\n\r\n`);
    strictEqual(fitting.status, 200);
  }));

Deno.test("G-12 H-22 the target is taken as sent: nothing collapses dot segments or slashes", () =>
  listening({ repositoryExists: () => Promise.reject(new Error("looked up")) }, async (port) => {
    for (
      const target of [
        `/${npub}/..%2F..%2Fsecret.git`,
        "/../x.git/info/refs",
        `/${npub}/%2e%2e.git`,
        `/${npub}/../x.git`,
        `//${npub}/x.git`,
        `/${npub}//x.git`,
        `/./metrics`,
        `/${npub}/x%00.git`,
        `/${npub}/a%5Cb.git`,
      ]
    ) {
      const answer = await rawRequest(port, `GET ${target} HTTP/1.1\r\n${close}\r\n`);
      strictEqual(answer.status, 404, target);
      deepStrictEqual(answer.all("access-control-allow-origin"), ["*"]);
    }
  }));

Deno.test("H-32 H-34 HEAD over the wire keeps the length of GET", () =>
  listening({}, async (port) => {
    for (const path of ["/", `/${npub}/x.git`, "/nope", "/icon.png"]) {
      const get = await rawRequest(port, `GET ${path} HTTP/1.1\r\n${close}\r\n`);
      const head = await rawRequest(port, `HEAD ${path} HTTP/1.1\r\n${close}\r\n`);
      strictEqual(head.status, get.status);
      strictEqual(head.body, "");
      // The runtime compresses bodies and says so in Vary, where there is a body.
      const comparable = ({ headers }: typeof get) =>
        headers.filter(([name]) => name !== "date").map(([name, value]) =>
          `${name}: ${value.replace(/^Accept-Encoding(?:, )?/, "")}`
        ).filter((line) => line !== "vary: ").sort();
      deepStrictEqual(comparable(head), comparable(get), path);
    }
  }));

Deno.test("a nonsense Host header disturbs nobody", () =>
  listening({}, async (port) => {
    const answer = await rawRequest(
      port,
      `GET /nope HTTP/1.1\r\nHost: bad host%%\r\nConnection: close\r\n\r\n`,
    );
    ok([400, 404].includes(answer.status));
    strictEqual((await rawRequest(port, `GET / HTTP/1.1\r\n${close}\r\n`)).status, 200);
  }));

Deno.test("a page whose ETag the client names is 304, also when a proxy has weakened it", async () => {
  const request = handler();
  for (const path of ["/", `/${npub}/x.git`, "/icon.png", "/favicon.ico", "/robots.txt"]) {
    const etag = (await request(path)).headers.get("ETag")!;
    match(etag, /^"[\w-]{22}"$/);
    for (const value of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const response = await request(path, { headers: { "if-none-match": value } });
      strictEqual(response.status, 304);
      strictEqual(response.headers.get("ETag"), etag);
      ok(response.headers.get("Cache-Control"));
      strictEqual(await response.text(), "");
    }
    strictEqual((await request(path, { headers: { "if-none-match": '"other"' } })).status, 200);
  }
  for (const path of ["/nope", "/healthz", "/readyz"]) {
    const response = await request(path, { headers: { "if-none-match": "*" } });
    strictEqual(response.headers.get("Cache-Control"), "no-store");
    ok(response.status !== 304);
  }
});
