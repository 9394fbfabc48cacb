import assert from "node:assert/strict";
import { commitFile, git, tryGit } from "../support/git_client.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { withRemote } from "./remote_support.ts";

const MISSING = ["1", "2"].map((digit) => digit.repeat(40)) as [string, string];

Deno.test("P-83 fetched by id: complete history, keep refs, no shallow file, no FETCH_HEAD, no other refs", () =>
  withRemote(async ({ peer, tree, fetch, refs, path }) => {
    const { commits } = await tree("a", ["1", "2", "3"]);
    const [first, , third] = commits as [string, string, string];
    const outcome = await fetch(peer().url("a/.git"), [third]);
    assert.deepEqual([outcome.result, [...outcome.obtained], outcome.absent.size], ["fetched", [third], 0]);
    assert.ok(outcome.bytes > 0);
    assert.deepEqual(await refs(), { [`refs/purgatory/keep/${third}`]: third });
    assert.equal((await tryGit(path, "cat-file", "-e", first)).code, 0);
    for (const file of ["shallow", "FETCH_HEAD"]) {
      assert.equal(await Deno.stat(`${path}/${file}`).catch(() => undefined), undefined);
    }
  }));

Deno.test("P-71 a server lacking one of three ids still delivers two in the same attempt", () =>
  withRemote(async ({ peer, tree, fetch }) => {
    const { commits } = await tree("a", ["1", "2"]);
    const [first, second] = commits as [string, string];
    const outcome = await fetch(peer().url("a/.git"), [first, MISSING[0], second]);
    assert.deepEqual([...outcome.obtained].sort(), [first, second].sort());
    assert.deepEqual([...outcome.absent], [MISSING[0]]);
    assert.equal(outcome.result, "fetched");
  }));

Deno.test("a server that lacks everything: nothing, and it says what it lacks", () =>
  withRemote(async ({ peer, tree, fetch, refs }) => {
    await tree("a", ["1"]);
    const outcome = await fetch(peer().url("a/.git"), MISSING);
    assert.deepEqual([outcome.result, outcome.obtained.size, [...outcome.absent]], ["nothing", 0, MISSING]);
    assert.deepEqual(await refs(), {});
  }));

Deno.test("P-72 ids refused but on branches: fetched by the tip's name, older ones through all branches", () =>
  withRemote(async ({ peer, tree, fetch, refs, path }) => {
    const { path: work, commits } = await tree("a", ["1", "2", "3"]);
    await git(work, "checkout", "-q", "-b", "other", commits[0]!);
    const other = await commitFile(work, "other", "x");
    const old = { protocol0: true, settings: ["uploadpack.allowAnySHA1InWant=false"] };
    const [first, second, third] = commits as [string, string, string];
    // A tip, two that are on branches, one that is nowhere.
    const outcome = await fetch(peer(old).url("a/.git"), [other, first, second, MISSING[0]]);
    assert.deepEqual([...outcome.obtained].sort(), [other, first, second].sort());
    assert.deepEqual([...outcome.absent], [MISSING[0]]);
    const names = Object.keys(await refs());
    assert.deepEqual(names.sort(), [other, first, second].map((oid) => `refs/purgatory/keep/${oid}`).sort());
    assert.equal((await tryGit(path, "cat-file", "-e", third)).code, 0);
  }));

Deno.test("P-72 pull request refs are part of the fallback; it is not repeated within ten minutes", () =>
  withRemote(async ({ peer, tree, fetch, refs }) => {
    const { path: work, commits } = await tree("a", ["1"]);
    const id = "e".repeat(64);
    await git(work, "checkout", "-q", "--detach");
    const middle = await commitFile(work, "pr", "x");
    const tip = await commitFile(work, "pr", "y");
    await git(work, "update-ref", `refs/nostr/${id}`, tip);
    await git(work, "checkout", "-q", "main");
    const old = peer({ protocol0: true, settings: ["uploadpack.allowAnySHA1InWant=false"] });
    const outcome = await fetch(old.url("a/.git"), [middle], { pullRequestIds: [id] });
    assert.deepEqual([...outcome.obtained], [middle]);
    assert.deepEqual(Object.keys(await refs()), [`refs/purgatory/keep/${middle}`]);
    const posts = old.requests.filter((line) => line.startsWith("POST")).length;
    const again = await fetch(old.url("a/.git"), [MISSING[0], commits[0]!], { pullRequestIds: [id] });
    assert.deepEqual([...again.obtained], [commits[0]], "a tip is still fetched by name");
    assert.equal(again.absent.size, 0);
    assert.ok(old.requests.filter((line) => line.startsWith("POST")).length <= posts + 2);
  }));

Deno.test("P-84 a lister's server is asked by id only, never for its branches", () =>
  withRemote(async ({ peer, tree, fetch, refs, path }) => {
    const { commits } = await tree("b", ["1", "2"]);
    const old = peer({ protocol0: true, settings: ["uploadpack.allowAnySHA1InWant=false"] });
    const outcome = await fetch(old.url("b/.git"), [commits[0]!], { branches: false });
    assert.deepEqual([outcome.result, outcome.obtained.size], ["nothing", 0]);
    assert.deepEqual(await refs(), {});
    assert.notEqual((await tryGit(path, "cat-file", "-e", commits[1]!)).code, 0);
  }));

Deno.test("HTTP answers: 401, 403, 404, 410 and dumb servers are refused, 5xx is the network, 429 and 503 name a time", () =>
  withRemote(async ({ peer, tree, fetch }) => {
    const { commits } = await tree("a", ["1"]);
    const answering = (status: number, headers: Record<string, string> = {}) =>
      peer({ answer: () => new Response("ref list", { status, headers }) }).url("a/.git");
    for (const status of [401, 403, 404, 410]) {
      assert.equal((await fetch(answering(status), commits)).result, "refused", String(status));
    }
    assert.equal((await fetch(answering(200, { "content-type": "text/plain" }), commits)).result, "refused");
    for (const status of [500, 502]) {
      const { result, category } = await fetch(answering(status), commits);
      assert.deepEqual([result, category], ["network", undefined], "P-80: not listed");
    }
    const cases: [Record<string, string>, number][] = [
      [{}, 60_000],
      [{ "retry-after": "7" }, 7_000],
      [{ "retry-after": "90000" }, 3_600_000],
      [{ "retry-after": "nonsense" }, 60_000],
    ];
    for (const [headers, retryAfterMs] of cases) {
      const outcome = await fetch(answering(429, headers), commits);
      assert.deepEqual([outcome.result, outcome.retryAfterMs], ["network", retryAfterMs]);
    }
  }));

Deno.test("redirects: a moved repository is fetched from its new place, never by git itself", () =>
  withRemote(async ({ peer, tree, fetch }) => {
    const { commits } = await tree("a", ["1", "2"]);
    const moved = peer({
      answer: (_request, path) =>
        path.startsWith("/old")
          ? Response.redirect(`${moved.origin}${path.replace("/old", "/a/.git")}`)
          : undefined,
    });
    const outcome = await fetch(moved.url("old"), [commits[0]!]);
    assert.deepEqual([...outcome.obtained], [commits[0]]);
    assert.equal(moved.requests.filter((line) => line.includes("/old")).length, 1, "the preflight only");
    // The preflight is answered, git's own first request is sent away.
    const turning = peer({
      answer: () =>
        turning.requests.length > 1
          ? Response.redirect(moved.url("a/.git/info/refs?service=git-upload-pack"))
          : undefined,
    });
    const before = moved.requests.length;
    const { result } = await fetch(turning.url("a/.git"), [commits[1]!]);
    assert.equal(result, "network");
    assert.equal(moved.requests.length, before, "git followed a redirect by itself");
  }));

Deno.test("P-77 a redirect to this service is not followed further", () =>
  withRemote(async ({ peer, tree, fetch }) => {
    const { commits } = await tree("a", ["1"]);
    const own = peer();
    const moved = peer({
      answer: (_request, path) => Response.redirect(own.origin + path.replace("/x", "/own/.git")),
    });
    assert.equal((await fetch(moved.url("x"), commits)).result, "refused");
    const back = peer({
      answer: (_request, path) =>
        path.startsWith("/x") ? Response.redirect(back.origin + path.replace("/x", "/a/.git")) : undefined,
    });
    assert.equal((await fetch(back.url("x"), commits)).result, "blocked");
    assert.ok(!back.requests.some((line) => line.startsWith("POST")));
  }, { isOwn: (url) => url.includes("/a/.git") }));

Deno.test("P-78 private addresses and redirects there cause no connection", () =>
  withRemote(async ({ peer, tree, fetch }) => {
    const { commits } = await tree("a", ["1"]);
    const inside = peer();
    const hosts = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"];
    const urls = [
      ...hosts.map((host) => `http://${host}:${inside.port}/a/.git`),
      "http://10.0.0.1:8080/a",
      "http://169.254.169.254/latest",
    ];
    for (const url of urls) {
      const { result, category } = await fetch(url, commits);
      assert.deepEqual([url, result, category], [url, "blocked", undefined]);
    }
    assert.deepEqual(inside.requests, []);
  }, { allowPrivate: false }));

Deno.test("P-80 an unresolvable host is a fault of the host", () =>
  withRemote(async ({ fetch }) => {
    const { result, category } = await fetch("http://no-such-host.invalid/x.git", MISSING);
    if (category === undefined) assert.equal(result, "network", "no resolver here that answers");
    else assert.deepEqual([result, category], ["naughty", "dns_lookup_failed"]);
  }));

Deno.test("P-79 a server that accepts and never answers ends with the signal, nothing is left over", () =>
  withRemote(async ({ peer, tree, fetch, path }) => {
    const { commits } = await tree("a", ["1"]);
    const asked = Promise.withResolvers<void>();
    const hanging = peer({
      answer: (request) => {
        if (request.method !== "POST") return undefined;
        asked.resolve();
        return new Promise<Response>((resolve) =>
          request.signal.addEventListener("abort", () => resolve(new Response()))
        );
      },
    });
    const stop = new AbortController();
    const fetching = fetch(hanging.url("a/.git"), commits, { signal: stop.signal });
    await asked.promise;
    stop.abort();
    const outcome = await fetching;
    assert.equal(outcome.result, "local");
    assert.deepEqual(
      (await Array.fromAsync(Deno.readDir(`${path}/objects/pack`))).map(({ name }) => name),
      [],
    );
  }));

Deno.test("P-79 no answer to the first request within 10 s, or a fetch that lasts 300 s: timeout, not listed", async () => {
  const clock = new VirtualClock();
  await withRemote(async ({ peer, tree, fetch }) => {
    const { commits } = await tree("a", ["1"]);
    const asked = { GET: Promise.withResolvers<void>(), POST: Promise.withResolvers<void>() };
    const hangingOn = (method: "GET" | "POST") =>
      peer({
        answer: (request) => {
          if (request.method !== method) return undefined;
          asked[method].resolve();
          return new Promise<Response>((resolve) =>
            request.signal.addEventListener("abort", () => resolve(new Response()))
          );
        },
      }).url("a/.git");
    const first = fetch(hangingOn("GET"), commits);
    await asked.GET.promise;
    await clock.advance(10_000);
    assert.deepEqual([(await first).result, (await first).category], ["timeout", undefined]);
    const second = fetch(hangingOn("POST"), commits);
    await asked.POST.promise;
    await clock.advance(300_250);
    assert.equal((await second).result, "timeout");
  }, { clock });
});

Deno.test("P-80 a bad certificate is a fault of the host", () =>
  withRemote(async ({ peer, tree, fetch }) => {
    const { commits } = await tree("a", ["1"]);
    const file = (name: string) =>
      Deno.readTextFile(new URL(`../outgoing/fixtures/${name}`, import.meta.url));
    const tls = { cert: await file("self_signed.pem"), key: await file("key.pem") };
    const { result, category } = await fetch(peer({ tls }).url("a/.git"), commits);
    assert.deepEqual([result, category], ["naughty", "tls_certificate_invalid"]);
  }));

Deno.test("more bytes than allowed: too_large, nothing is kept", () =>
  withRemote(async ({ peer, tree, fetch, path, refs }) => {
    const { path: work } = await tree("a", ["1"]);
    const noise = new Uint8Array(3 << 20);
    for (let start = 0; start < noise.length; start += 65_536) {
      crypto.getRandomValues(noise.subarray(start, start + 65_536));
    }
    const big = await commitFile(work, "big", noise);
    // The pack arrives whole but for its end, so that it is seen on disk while git waits.
    const slow = peer({
      answer: (request, path) => {
        if (request.method !== "POST") return undefined;
        return slowly(fetchGit(slow.origin + path, request));
      },
    });
    const inner = peer();
    const fetchGit = async (url: string, request: Request) =>
      await fetch_(url.replace(slow.origin, inner.origin), request);
    const outcome = await fetch(slow.url("a/.git"), [big]);
    assert.equal(outcome.result, "too_large");
    assert.deepEqual(await refs(), {});
    assert.deepEqual(
      (await Array.fromAsync(Deno.readDir(`${path}/objects/pack`))).map(({ name }) => name),
      [],
    );
  }, { maxBytes: 1 << 20 }));

async function fetch_(url: string, request: Request): Promise<Response> {
  const headers = new Headers(request.headers);
  headers.delete("host");
  headers.delete("content-length");
  return await globalThis.fetch(url, { method: "POST", headers, body: await request.arrayBuffer() });
}

/** Long answers stop a little before their end and never go on. */
async function slowly(answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length < 1 << 20) return new Response(bytes, response);
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytes.subarray(0, bytes.length - 100)),
  });
  return new Response(stream, response);
}
