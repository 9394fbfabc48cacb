import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { Buffer } from "node:buffer";
import WebSocket from "ws";
import {
  announced,
  declareAll,
  hosted,
  isServed,
  publish,
  pushAll,
  remoteRefs,
} from "../scenarios/support.ts";
import { newSigner } from "../support/keys.ts";
import { commitFile, git, type GitOutput, refsOf, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { eventually } from "../support/temp.ts";
import { CADDY, NGINX, type ProxyKind } from "./proxies.ts";
import { ask, openProxyScene, type ProxyScene } from "./proxy_scene.ts";

const CORS = [
  "access-control-allow-origin",
  "access-control-allow-methods",
  "access-control-allow-headers",
];
const PROXIES = [NGINX, CADDY];
const UPGRADE = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

/** Servers, proxies and one connection each outlive a test. */
const SHARED = { sanitizeOps: false, sanitizeResources: false };
const scenes = new Map<ProxyKind, ProxyScene>();
Deno.test.beforeAll(async () => {
  for (const kind of PROXIES) if (kind.isInstalled) scenes.set(kind, await openProxyScene(kind));
});
Deno.test.afterAll(async () => {
  for (const scene of scenes.values()) await scene.end();
});

/** Proves the same behind every proxy, each with one server for all tests. */
function behindProxies(prove: (scene: ProxyScene, kind: ProxyKind) => Promise<void>) {
  return async (t: Deno.TestContext) => {
    for (const kind of PROXIES) {
      const scene = scenes.get(kind);
      await t.step({
        name: kind.name + (scene ? "" : ": skipped, it is not installed"),
        ignore: !scene,
        fn: async () => {
          try {
            await prove(scene!, kind);
          } catch (error) {
            console.error(scene!.direct.log.slice(-3_000), (await scene!.proxy.log()).slice(-2_000));
            throw error;
          }
        },
      });
    }
  };
}

Deno.test(
  "M-34 behind a proxy, a subscription hears an event that another client sends",
  SHARED,
  behindProxies(async ({ relay, wsUrl, server }) => {
    const owner = newSigner();
    const listener = await RelayClient.connect(wsUrl);
    const id = await listener.subscribe({ authors: [owner.pubkey] });
    const event = owner.sign({ kind: 10317, tags: [["g", `wss://${server.domain}`]] });
    await publish(relay, event, "");
    await eventually("the event arrives", () => listener.received(id).length === 1);
    await listener.close();
  }),
);

Deno.test(
  "M-34 behind a proxy, an identifier with blanks is pushed to, cloned and has a page",
  SHARED,
  behindProxies(async (scene) => {
    const repository = await hosted(scene, "my repo ✓");
    const { owner, work, url, identifier } = repository;
    assert.ok(url.includes("/my%20repo%20%E2%9C%93.git"));
    const refs = await remoteRefs(scene.directory, url);
    assert.equal(refs["refs/heads/main"], (await refsOf(work))["refs/heads/main"]);
    const page = await ask(scene.httpUrl, `/${owner.npub}/${encodeURIComponent(identifier)}.git`);
    assert.equal(page.status, 200);
  }),
);

Deno.test(
  "M-34 behind a proxy, paths arrive as they were sent",
  SHARED,
  behindProxies(async (scene) => {
    const { owner } = await hosted(scene, "a b");
    const paths = [
      "/nothing%20here//x%2Fy?z=1",
      "//",
      `/${owner.npub}/a%20b.git`,
      `/${owner.npub}//a%20b.git`,
      `/${owner.npub}/a%20b.git/info/refs?service=git-upload-pack`,
      `/${owner.npub}/%2e%2e.git`,
      `/${owner.npub}/a%20b`,
    ];
    for (const path of paths) {
      const headers = { Host: scene.server.domain, Accept: "text/html" };
      const [through, direct] = await Promise.all([
        ask(scene.httpUrl, path, { headers }),
        ask(scene.direct.httpUrl, path, { headers }),
      ]);
      assert.deepEqual([through.status, through.body], [direct.status, direct.body], path);
      assert.deepEqual(through.values("location"), direct.values("location"), path);
    }
  }),
);

Deno.test(
  "M-34 H-3 behind a proxy, every answer has one set of CORS headers",
  SHARED,
  behindProxies(async (scene) => {
    const { owner } = await hosted(scene, "cors");
    const refs = `/${owner.npub}/cors.git/info/refs?service=git-upload-pack`;
    const answers = [
      [200, await ask(scene.httpUrl, "/")],
      [200, await ask(scene.httpUrl, "/", { headers: { Accept: "application/nostr+json" } })],
      [200, await ask(scene.httpUrl, refs)],
      [
        204,
        await ask(scene.httpUrl, refs, { method: "OPTIONS", headers: { Origin: "https://example.org" } }),
      ],
      [404, await ask(scene.httpUrl, "/nothing")],
      [405, await ask(scene.httpUrl, "/", { method: "DELETE" })],
      [101, await ask(scene.httpUrl, "/", { headers: UPGRADE })],
    ] as const;
    for (const [status, answer] of answers) {
      assert.equal(answer.status, status);
      for (const name of CORS) assert.equal(answer.values(name).length, 1, `${status} ${name}`);
      assert.deepEqual(answer.values("access-control-allow-origin"), ["*"]);
    }
  }),
);

Deno.test(
  "M-34 behind a proxy, metrics and the status page are hidden, health is not",
  SHARED,
  behindProxies(async (scene) => {
    for (const path of ["/metrics", "/status"]) {
      assert.equal((await ask(scene.direct.httpUrl, path)).status, 200);
      const variants = [path, `${path}?x=1`, path.replace("s", "%73"), `/${path}`, `${path}/`];
      for (const variant of variants) {
        assert.equal((await ask(scene.httpUrl, variant)).status, 404, variant);
      }
    }
    assert.equal((await ask(scene.httpUrl, "/healthz")).status, 200);
  }),
);

Deno.test(
  "M-34 M-14 behind a proxy, the server knows its clients' addresses, and believes no forged ones",
  SHARED,
  behindProxies(async (scene, { name }) => {
    const connect = () =>
      new Promise<WebSocket>((resolve, reject) => {
        const socket = new WebSocket(scene.wsUrl, {
          localAddress: "127.0.0.2",
          headers: { "X-Forwarded-For": "203.0.113.7" },
        });
        socket.on("open", () => resolve(socket));
        socket.on("error", reject);
      });
    const sockets = [await connect(), await connect()];
    await eventually("the address is flagged", () => scene.direct.log.includes('"ip":"127.0.0.2"'));
    assert.ok(!scene.direct.log.includes("203.0.113.7"), name);
    for (const socket of sockets) socket.terminate();
  }),
);

Deno.test(
  "M-34 behind a proxy, pages are compressed once, and git's compressed requests are understood",
  SHARED,
  behindProxies(async (scene) => {
    const page = await ask(scene.httpUrl, "/", { headers: { "Accept-Encoding": "gzip" } });
    assert.deepEqual(page.values("content-encoding"), ["gzip"]);
    assert.ok(gunzipSync(Buffer.from(page.body, "latin1")).toString().includes("<html"));
    const repository = await announced(scene, "many");
    for (let branch = 0; branch < 30; branch++) {
      await git(repository.work, "commit", "-q", "--allow-empty", "-m", `commit ${branch}`);
      await git(repository.work, "branch", `branch-${branch}`);
    }
    await declareAll(scene.relay, repository, "purgatory:");
    await pushAll(repository);
    // Above 1 KiB git compresses what it asks for.
    const { code, stderr } = await new Deno.Command("git", {
      args: ["clone", "-q", repository.url, `${scene.directory}/many`],
      env: { GIT_TRACE_CURL: "1", GIT_CONFIG_GLOBAL: "/dev/null" },
    }).output();
    const trace = new TextDecoder().decode(stderr);
    assert.equal(code, 0, trace.slice(-2_000));
    assert.match(trace, /=> Send header: Content-Encoding: gzip/);
  }),
);

Deno.test(
  "M-34 behind a proxy, a client that waits for 100 Continue is told to go on",
  SHARED,
  behindProxies(async (scene) => {
    const { owner } = await hosted(scene, "expect");
    const body = new TextEncoder().encode("0014command=ls-refs\n0000");
    const answer = await ask(scene.httpUrl, `/${owner.npub}/expect.git/git-upload-pack`, {
      method: "POST",
      headers: {
        "Content-Type": "application/x-git-upload-pack-request",
        "Git-Protocol": "version=2",
        "Content-Length": String(body.length),
        Expect: "100-continue",
      },
      body,
    });
    assert.equal(answer.status, 200);
    assert.match(answer.body, /refs\/heads\/main/);
  }),
);

Deno.test(
  "M-34 behind a proxy, a large push that is refused says why",
  SHARED,
  behindProxies(async (scene) => {
    const repository = await hosted(scene, "refused");
    await git(repository.work, "config", "core.compression", "0");
    await commitFile(repository.work, "more.bin", noise(8_000_000));
    let answer: GitOutput | undefined;
    tryGit(repository.work, "push", repository.url, "main").then((output) => answer = output);
    await eventually("the refusal ends", () => answer !== undefined, 30_000);
    const { code, stderr } = answer!;
    assert.notEqual(code, 0);
    assert.match(stderr, /state/, stderr);
  }),
);

Deno.test(
  "M-34 behind a proxy, a large push and its clone stream, and nothing touches the proxy's disk",
  SHARED,
  behindProxies(async (scene, { name }) => {
    const megabytes = Number(Deno.env.get("DEPLOY_PUSH_MB") ?? 30);
    const repository = await announced(scene, "large");
    await git(repository.work, "config", "core.compression", "0");
    for (let left = megabytes; left > 0; left -= 50) {
      await commitFile(repository.work, `part-${left}.bin`, noise(Math.min(left, 50) * 1_000_000));
    }
    const state = await declareAll(scene.relay, repository, "purgatory:");
    const watch = watchPeaks(scene);
    const pushed = await seconds(() => pushAll(repository));
    assert.ok(await isServed(scene.relay, state));
    const copy = `${scene.directory}/large-copy`;
    const cloned = await seconds(() => git(scene.directory, "clone", "-q", "--bare", repository.url, copy));
    const peaks = await watch();
    assert.deepEqual(await refsOf(copy), await refsOf(repository.work));
    const figures = `${name}: push of ${megabytes} MB ${pushed} s, clone ${cloned} s, temporary files ` +
      `${peaks.temporaryBytes} bytes, server memory +${(peaks.serverGrowth / 1e6).toFixed(0)} MB`;
    if (megabytes > 30) console.log(figures);
    assert.equal(peaks.temporaryBytes, 0, figures);
    assert.ok(peaks.serverGrowth < 100 * 1024 * 1024, figures);
    assert.doesNotMatch(await scene.proxy.log(), /buffered to a temporary file/);
  }),
);

/** Incompressible bytes, so that the pack is as large as the file. */
function noise(bytes: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) {
    crypto.getRandomValues(data.subarray(at, Math.min(at + 65_536, bytes)));
  }
  return data;
}

async function seconds(work: () => Promise<unknown>): Promise<string> {
  const startedAt = performance.now();
  await work();
  return ((performance.now() - startedAt) / 1000).toFixed(1);
}

/** Samples the server's memory and the proxy's temporary files until the result is called. */
function watchPeaks({ direct, proxy }: ProxyScene) {
  const peaks = { serverGrowth: 0, temporaryBytes: 0 };
  let running = true;
  const watching = (async () => {
    const before = await direct.residentBytes();
    while (running) {
      peaks.serverGrowth = Math.max(peaks.serverGrowth, await direct.residentBytes() - before);
      peaks.temporaryBytes = Math.max(peaks.temporaryBytes, await temporaryBytes(proxy.temporaryPath));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return async () => {
    running = false;
    await watching;
    return peaks;
  };
}

async function temporaryBytes(directory: string): Promise<number> {
  const { stdout } = await new Deno.Command("find", { args: [directory, "-type", "f", "-printf", "%s\n"] })
    .output();
  return new TextDecoder().decode(stdout).split("\n").reduce((total, size) => total + Number(size), 0);
}
