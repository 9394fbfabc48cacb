import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { type Member, pair } from "../scenarios/sync_support.ts";
import { newSigner } from "../support/keys.ts";
import type { TcpProxy } from "../support/tcp_proxy.ts";
import { eventually } from "../support/temp.ts";

const stranger = newSigner();
let serial = 0;

function issueOn(address: string): NostrEvent {
  return stranger.sign({ kind: 1621, tags: [["a", address]], content: `issue ${++serial}` });
}

/** The value of a metric without labels. */
async function metric({ server }: Member, name: string): Promise<number> {
  const text = await (await fetch(`${server.httpUrl}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${name} `));
  ok(line, `${name} is not exported`);
  return Number(line.split(" ")[1]);
}

/** What happens to the line between B and A, and how it ends. */
interface Trouble {
  readonly name: string;
  readonly begin: (line: TcpProxy) => void;
  readonly end: (line: TcpProxy) => void;
}

const TROUBLES: readonly Trouble[] = [
  {
    name: "cut by RST, dials hang",
    begin: (line) => {
      line.accepting = "hang";
      line.cut("rst");
    },
    end: (line) => line.accepting = "pass",
  },
  {
    name: "black hole",
    begin: (line) => line.blackHole(true),
    end: (line) => line.blackHole(false),
  },
  {
    name: "half open",
    begin: (line) => line.toBackend.blackHole = true,
    end: (line) => line.toBackend.blackHole = false,
  },
];

Deno.test("S-25 S-32 scenarios S01 S07 S08 over real sockets: after every sort of break B has what A got meanwhile", () =>
  pair(async ({ directory, a, b }) => {
    const hosted = await a.host(directory, "lines", [a, b]);
    const address = `30617:${hosted.owner.pubkey}:lines`;
    await b.serves(hosted.announcement);
    for (const { name, begin, end } of TROUBLES) {
      const before = issueOn(address);
      await a.publish(before);
      await b.serves(before);
      const accepted = a.proxy.accepted;
      begin(a.proxy);
      const meanwhile = [issueOn(address), issueOn(address)];
      await a.publish(...meanwhile);
      await eventually(`${name} is noticed`, () => a.proxy.accepted > accepted);
      end(a.proxy);
      await b.serves(...meanwhile);
    }
    strictEqual(await metric(b, "ngit_sync_negentropy_redundant_ids_total"), 0);
  }, { env: { NGIT_SYNC_BASE_BACKOFF_SECS: "1", NGIT_SYNC_MAX_BACKOFF_SECS: "1" } }));

Deno.test("S-54 scenarios S11 S13 over real sockets: A and then B restart on their data and port; nothing is sent twice", () =>
  pair(async ({ directory, a, b }) => {
    const hosted = await a.host(directory, "restarts", [a, b]);
    const address = `30617:${hosted.owner.pubkey}:restarts`;
    const first = Array.from({ length: 100 }, () => issueOn(address));
    await a.publish(...first);
    await b.serves(hosted.announcement, ...first);
    await a.end("SIGKILL");
    await a.start();
    const second = issueOn(address);
    await a.publish(second);
    await b.serves(...first, second);
    strictEqual(await b.end("SIGTERM"), 0);
    const third = issueOn(address);
    await a.publish(third);
    await b.start();
    await b.serves(...first, second, third);
    strictEqual(await metric(b, "ngit_sync_events_synced_total"), 1);
    strictEqual(await metric(b, "ngit_sync_negentropy_redundant_ids_total"), 0);
  }));

Deno.test("S-108 scenarios S09 S59 over real sockets: SIGTERM in the middle of a slow first sync, then a whole one", () =>
  pair(async ({ directory, a, b }) => {
    const hosted = await a.host(directory, "heavy", [a, b]);
    const address = `30617:${hosted.owner.pubkey}:heavy`;
    const all = Array.from({ length: 400 }, () => issueOn(address));
    await a.publish(...all);
    Object.assign(a.proxy.toClient, { bytesPerSecond: 60_000, splitBytes: 700, jitterMs: 2 });
    await b.start();
    await b.until("has begun", async () => (await b.query({ kinds: [1621] })).length > 0);
    const before = performance.now();
    strictEqual(await b.end("SIGTERM"), 0);
    ok(performance.now() - before < 10_000);
    await b.start();
    Object.assign(a.proxy.toClient, { bytesPerSecond: 0, splitBytes: 0, jitterMs: 0 });
    await b.serves(hosted.announcement, ...all);
    deepStrictEqual(b.log.split("\n").filter((line) => line.includes('"level":"error"')), []);
  }, { startB: false }));
