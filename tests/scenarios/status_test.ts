import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";
import { ServerProcess } from "../support/server_process.ts";
import { hosted, publish, scene } from "./support.ts";

const COMMIT = "1234567890abcdef1234567890abcdef12345678";
const HOSTILE = "<b>repo";

type Status = Readonly<Record<string, { shown: Record<string, unknown>[]; total: number }>>;

async function statusOf(url: string): Promise<Status> {
  const answer = await fetch(`${url}/status`, { headers: { accept: "application/json" } });
  strictEqual(answer.status, 200);
  return await answer.json();
}

Deno.test("the operator sees peers, purgatory with what it waits for, hunts and disk by owner", () =>
  withTempDirectory(async (directory) => {
    const peer = await ServerProcess.start({ dataPath: `${directory}/peer` });
    try {
      await scene(async (stage) => {
        const { server, relay } = stage;
        const owner = newSigner();
        await hosted(stage, "present", owner);
        await publish(relay, announce(owner, HOSTILE, { domain: server.domain }), "purgatory:");
        await publish(relay, declare(owner, HOSTILE, { "refs/heads/main": COMMIT }), "purgatory:");
        let status: Status = {};
        await eventually("the peer is followed and everything else shown", async () => {
          status = await statusOf(server.httpUrl);
          const [first] = status.peers!.shown;
          return first?.connection === "Connected" && status.hunts!.total === 1 && status.disk !== undefined;
        });
        const [followed] = status.peers!.shown;
        strictEqual(`${followed!.relay}/`, peer.wsUrl);
        ok(Date.now() - Number(followed!.lastHeardAt) < 60_000);
        const waiting = status.waiting!.shown.map(({ sort, waitsFor }) => `${sort}: ${waitsFor}`).sort();
        deepStrictEqual(waiting, [
          "announcement: a state and its git data",
          `state: git data: refs/heads/main at ${COMMIT.slice(0, 12)}`,
        ]);
        for (const entry of status.waiting!.shown) {
          deepStrictEqual(entry.repository, { npub: owner.npub, identifier: HOSTILE });
          ok(Number(entry.until) > Date.now());
        }
        const { owners } = status.disk as unknown as { owners: Status[string] };
        strictEqual(owners.total, 1);
        strictEqual(owners.shown[0]!.npub, owner.npub);
        strictEqual(owners.shown[0]!.repositories, 2);
        ok(Number(owners.shown[0]!.bytes) > 0);

        const page = await (await fetch(`${server.httpUrl}/status`)).text();
        ok(page.includes("&lt;b&gt;repo") && !page.includes(HOSTILE));
        match(page, /refs\/heads\/main at 1234567890ab/);
      }, { NGIT_SYNC_BOOTSTRAP_RELAY_URL: peer.wsUrl, NGIT_TEST: "1" });
    } finally {
      await peer.stop();
    }
  }));

Deno.test("nobody else sees the status: neither strangers behind the proxy nor scripts of other origins", () =>
  scene(async ({ server }) => {
    const ask = (headers: Record<string, string>) => fetch(`${server.httpUrl}/status`, { headers });
    const shown = await ask({});
    strictEqual(shown.status, 200);
    strictEqual(shown.headers.get("cache-control"), "no-store");
    await shown.body?.cancel();
    const unknown = await (await fetch(`${server.httpUrl}/statuses`)).text();
    for (const headers of [{ "x-forwarded-for": "203.0.113.7" }, { origin: "https://evil.example" }]) {
      const refused = await ask(headers);
      strictEqual(refused.status, 404, JSON.stringify(headers));
      strictEqual((await refused.text()).replaceAll("/status", "/statuses"), unknown);
    }
  }));

Deno.test("NGIT_METRICS_BIND_ADDRESS takes /metrics and /status away from the public listener", () =>
  scene(async ({ server }) => {
    const place = /metrics, status and health on (http:\/\/127\.0\.0\.1:\d+)/.exec(server.log)?.[1];
    ok(place, server.log);
    const codeOf = async (url: string) => {
      const answer = await fetch(url);
      await answer.body?.cancel();
      return answer.status;
    };
    for (
      const [path, here, there] of [
        ["/metrics", 404, 200],
        ["/status", 404, 200],
        ["/healthz", 200, 200],
        ["/readyz", 200, 200],
        ["/", 200, 404],
        ["/npub1x/y.git/info/refs?service=git-upload-pack", 404, 404],
      ] as const
    ) {
      deepStrictEqual([await codeOf(server.httpUrl + path), await codeOf(place + path)], [here, there], path);
    }
  }, { NGIT_METRICS_BIND_ADDRESS: "127.0.0.1:0" }));
