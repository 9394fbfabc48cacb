import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { commitFile, git, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { eventually } from "../support/temp.ts";
import { announced, declareAll, hosted, publish, pushAll, type Scene, scene } from "../scenarios/support.ts";
import { rawRequest } from "./support.ts";

const NIP11 = { accept: "application/nostr+json" };
/** The default for trusted proxies is the loopback interface, where these tests come from. */
const FROM_OUTSIDE = { "x-forwarded-for": "203.0.113.7" };

async function information({ server }: Scene): Promise<Record<string, unknown>> {
  return await (await fetch(server.httpUrl, { headers: NIP11 })).json();
}

Deno.test("H-38 H-4 H-6 H-7 H-12 what known clients check holds against a default configuration", () =>
  scene(async (stage) => {
    const { server } = stage;
    const response = await fetch(server.httpUrl, { headers: NIP11 });
    strictEqual(response.headers.get("content-type"), "application/nostr+json");
    strictEqual(response.headers.get("cache-control"), "max-age=300");
    match(response.headers.get("vary")!, /Accept\b(?!-)/);
    const etag = response.headers.get("etag")!;
    const document = await response.json();
    for (const field of ["name", "description", "software", "version", "repo_acceptance_criteria"]) {
      ok(typeof document[field] === "string" && document[field].length > 0, field);
    }
    ok(document.supported_grasps.includes("GRASP-01"));
    ok(document.supported_grasps.every((grasp: string) => /^GRASP-\d{2}$/.test(grasp)));
    ok(!("curation" in document));
    ok(document.icon.startsWith(`http://localhost:${server.port}/`));
    strictEqual((await fetch(server.httpUrl, { headers: { ...NIP11, "if-none-match": etag } })).status, 304);

    const html = await fetch(server.httpUrl, { headers: { accept: "text/html" } });
    match(html.headers.get("content-type")!, /^text\/html/);
    match(html.headers.get("vary")!, /Accept\b(?!-)/);
    await html.body?.cancel();

    const { owner, identifier } = await announced(stage, "listed");
    const unknown = newSigner().npub;
    const cases: [string, string, number][] = [
      ["GET", "/", 200],
      ["GET", `/${owner.npub}/${identifier}.git`, 200],
      ["GET", `/${unknown}/${identifier}.git`, 404],
      ["GET", `/${owner.npub}/${identifier}.git/info/refs?service=git-upload-pack`, 200],
      ["GET", `/${unknown}/${identifier}.git/info/refs?service=git-upload-pack`, 404],
      ["GET", "/no/such/path", 404],
      ["OPTIONS", `/${unknown}/${identifier}.git/git-receive-pack`, 204],
    ];
    for (const [method, path, status] of cases) {
      const answer = await rawRequest(
        server.port,
        `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      strictEqual(answer.status, status, `${method} ${path}`);
      deepStrictEqual(answer.all("access-control-allow-origin"), ["*"]);
      strictEqual(answer.all("access-control-allow-headers").length, 1);
      deepStrictEqual(answer.all("access-control-allow-methods"), ["GET, POST, OPTIONS"]);
    }
  }));

Deno.test("H-3 H-15 G-5 the 101 carries the common headers once, for token lists and any path", () =>
  scene(async ({ server }) => {
    for (const path of ["/", "/anything", "/x/y"]) {
      const answer = await rawRequest(
        server.port,
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, UPGRADE\r\nUpgrade: WebSocket\r\n` +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      strictEqual(answer.status, 101, path);
      deepStrictEqual(answer.all("access-control-allow-origin"), ["*"]);
      deepStrictEqual(answer.all("server"), ["ngit-grasp"]);
    }
    const keyless = await rawRequest(
      server.port,
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    strictEqual(keyless.status, 400);
    deepStrictEqual(keyless.all("access-control-allow-origin"), ["*"]);
  }));

Deno.test("H-13 what limitation says is what happens", () =>
  scene(async (stage) => {
    const { relay, server } = stage;
    const limits = (await information(stage)).limitation as Record<string, number>;
    const now = Math.floor(Date.now() / 1000);

    const owner = newSigner();
    const draft = { domain: server.domain, created_at: now + limits.created_at_upper_limit! + 60 };
    const future = await relay.publish(announce(owner, "future", draft));
    ok(!future.accepted && /future|created_at/.test(future.message), future.message);

    const longest = "s".repeat(limits.max_subid_length!);
    relay.send(["REQ", longest, { limit: 1 }]);
    await relay.waitFor(([type, id]) => type === "EOSE" && id === longest);
    relay.send(["REQ", longest + "s", { limit: 1 }]);
    await relay.waitFor(([type]) => type === "CLOSED" || type === "NOTICE");

    const { owner: host, identifier } = await hosted(stage, "limited");
    const address = `30617:${host.pubkey}:${identifier}`;
    const issue = (index: number) =>
      host.sign({
        kind: 1621,
        tags: [["a", address]],
        content: `${index}`,
        created_at: now - 10_000 + index,
      });
    const count = limits.max_limit! + 5;
    const from = relay.messages.length;
    for (let index = 0; index < count; index++) relay.send(["EVENT", issue(index)]);
    await eventually(
      "all stored",
      () =>
        relay.messages.slice(from).filter(([type, , accepted]) => type === "OK" && accepted === true)
          .length === count,
    );
    strictEqual((await relay.query({ kinds: [1621], limit: count })).length, limits.max_limit);
    strictEqual(
      (await relay.query({ kinds: [1621] })).length,
      Math.min(limits.default_limit!, limits.max_limit!),
    );

    const other = await RelayClient.connect(server.wsUrl);
    const open = limits.max_subscriptions!;
    for (let index = 0; index <= open; index++) other.send(["REQ", `r${index}`, { kinds: [9999], limit: 0 }]);
    const closed = await other.waitFor(([type]) => type === "CLOSED");
    strictEqual(closed[1], `r${open}`);
    await other.close();

    const message = (length: number) => `["${"x".repeat(length - 4)}"]`;
    const third = await RelayClient.connect(server.wsUrl);
    third.send(message(limits.max_message_length!));
    third.send(["REQ", "still", { limit: 0 }]);
    await third.waitFor(([type, id]) => type === "EOSE" && id === "still");
    third.send(message(limits.max_message_length! + 1));
    strictEqual((await third.waitForClose()).code, 1009);
  }, {
    NGIT_MAX_FILTER_LIMIT: "300",
    NGIT_DEFAULT_FILTER_LIMIT: "250",
    NGIT_MAX_MESSAGE_BYTES: "1048576",
    NGIT_MAX_SUBSCRIPTIONS: "20",
    NGIT_MAX_EVENT_FUTURE_SECS: "900",
  }));

Deno.test("H-17 H-3 connections beyond the limits get 503 or 429, with CORS", () =>
  scene(async ({ server, relay }) => {
    const upgrade = (address: string) =>
      rawRequest(
        server.port,
        `GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${address}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n` +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
    const same = await upgrade("127.0.0.1");
    deepStrictEqual([same.status, same.all("access-control-allow-origin")], [429, ["*"]]);
    const second = await RelayClient.connect(server.wsUrl.replace("127.0.0.1", "localhost")).catch(() =>
      undefined
    );
    strictEqual(second, undefined);
    await relay.query({ limit: 1 });
  }, { NGIT_MAX_CONNECTIONS_PER_IP: "1" }));

Deno.test("H-26 H-27 H-31 metrics and details are for those who may read them", () =>
  scene(async (stage) => {
    const { server } = stage;
    const url = `${server.httpUrl}/metrics`;
    const repository = await announced(stage, "scraped");
    await declareAll(stage.relay, repository, "purgatory:");
    const scrapes = [1, 2, 3, 4, 5].map(async () => {
      const response = await fetch(url);
      strictEqual(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
      strictEqual(response.headers.get("cache-control"), "no-store");
      match(await response.text(), /^ngit_/m);
      return response.status;
    });
    const [statuses] = await Promise.all([Promise.all(scrapes), pushAll(repository)]);
    deepStrictEqual(statuses, [200, 200, 200, 200, 200]);

    const hidden = await fetch(url, { headers: FROM_OUTSIDE });
    const unknown = await fetch(`${server.httpUrl}/metricz`, { headers: FROM_OUTSIDE });
    strictEqual(hidden.status, 404);
    strictEqual((await hidden.text()).replaceAll("metrics", "metricz"), await unknown.text());

    for (const path of ["/readyz", "/ready", "/readyz?verbose"]) {
      const outside = await fetch(server.httpUrl + path, { headers: FROM_OUTSIDE });
      deepStrictEqual(await outside.json(), { status: "ready" });
    }
    const inside = await (await fetch(`${server.httpUrl}/readyz`)).json();
    strictEqual(inside.status, "ready");
    strictEqual(typeof inside.version, "string");
  }));

Deno.test("H-26 metrics switched off say so", () =>
  scene(async ({ server }) => {
    const response = await fetch(`${server.httpUrl}/metrics`);
    deepStrictEqual([response.status, await response.text()], [404, "Metrics disabled\n"]);
  }, { NGIT_METRICS_ENABLED: "false" }));

Deno.test("H-18 H-20 pages of a repository in purgatory and after its first push", () =>
  scene(async (stage) => {
    const { server, relay } = stage;
    const owner = newSigner();
    const url = `${server.httpUrl}/${owner.npub}/paged.git`;
    const extraTags = [["description", "Told only when served"]];
    await publish(relay, announce(owner, "paged", { domain: server.domain, extraTags }), "purgatory:");
    const waiting = await fetch(url);
    strictEqual(waiting.status, 200);
    const before = await waiting.text();
    match(before, /Waiting for git data/);
    ok(!before.includes("Told only"));

    const work = `${stage.directory}/paged`;
    await Deno.mkdir(work);
    await git(work, "init", "-q", "-b", "main");
    const commit = await commitFile(work, "a", "a");
    const state = declare(owner, "paged", { "refs/heads/main": commit }, { head: "refs/heads/main" });
    await publish(relay, state, "purgatory:");
    await pushAll({ work, url });
    const after = await (await fetch(url)).text();
    match(after, /Told only when served/);
    match(after, /<dd>main<\/dd>/);
    ok(!after.includes("Waiting for git data"));
    const redirect = await fetch(`${url}/`, { redirect: "manual" });
    strictEqual(redirect.status, 308);
    await redirect.body?.cancel();
  }));

Deno.test("H-30 on SIGTERM readiness ends at once while a clone in flight completes", () =>
  scene(async (stage) => {
    const { server, directory } = stage;
    const repository = await announced(stage, "inflight");
    await commitFile(repository.work, "large.bin", crypto.getRandomValues(new Uint8Array(65_536)));
    for (let index = 0; index < 5; index++) {
      const bytes = new Uint8Array(4 << 20);
      for (let at = 0; at < bytes.length; at += 65_536) {
        crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      }
      await commitFile(repository.work, `large-${index}.bin`, bytes);
    }
    await declareAll(stage.relay, repository, "purgatory:");
    await pushAll(repository);

    // A clone that has begun and does not read: nothing ends before it goes on.
    const tip = await git(repository.work, "rev-parse", "HEAD");
    const want = `want ${tip} no-progress\n`;
    const line = (want.length + 4).toString(16).padStart(4, "0") + want;
    const reader = (await fetch(`${repository.url}/git-upload-pack`, {
      method: "POST",
      headers: { "content-type": "application/x-git-upload-pack-request" },
      body: `${line}00000009done\n`,
    })).body!.getReader();
    let received = (await reader.read()).value!.length;

    Deno.kill(server.pid, "SIGTERM");
    await eventually("readiness ends", async () => {
      const response = await fetch(`${server.httpUrl}/readyz`).catch(() => undefined);
      await response?.body?.cancel();
      return response?.status === 503;
    });
    deepStrictEqual(await (await fetch(`${server.httpUrl}/healthz`)).json(), { status: "ok" });
    const refused = await fetch(server.httpUrl);
    deepStrictEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
    await refused.body?.cancel();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      received += part.value.length;
    }
    ok(received > 20 << 20, `${received} bytes`);
    ok((await tryGit(directory, "ls-remote", repository.url)).code !== 0);
  }));

Deno.test("IO-41 git responses have bare content types, are not compressed and not cached", () =>
  scene(async (stage) => {
    const { url } = await hosted(stage, "uncompressed");
    const response = await fetch(`${url}/info/refs?service=git-upload-pack`, {
      headers: { "accept-encoding": "gzip, br" },
    });
    strictEqual(response.headers.get("content-type"), "application/x-git-upload-pack-advertisement");
    strictEqual(response.headers.get("content-encoding"), null);
    match(response.headers.get("cache-control")!, /no-cache/);
    match(await response.text(), /^001e# service=git-upload-pack\n/);
  }));
