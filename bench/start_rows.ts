import { encodeNpub, type NostrEvent } from "../lib/nostr/mod.ts";
import type { Changes } from "../lib/store/mod.ts";
import { git } from "../tests/support/git_client.ts";
import { ServerProcess } from "../tests/support/server_process.ts";
import { fillStore } from "./filled_store.ts";
import { secondsOf } from "./measure.ts";
import { SERVER_ENV } from "./relay_site.ts";
import type { Row } from "./row.ts";

const OWNERS = 500;
const FIRST_SECOND = 1_700_000_000;
/** Directories copied at the same time. */
const COPIES = 16;
const SETTLE_MS = 5_000;

/** Time from starting the program until `/readyz` says yes, with many repositories and events. */
export const startRow: Row = {
  name: "start",
  async measure(bench) {
    const [repositories, events] = bench.quick ? [1_000, 10_000] : [10_000, 100_000];
    const full = await bench.newDirectory("start-full");
    const empty = await bench.newDirectory("start-empty");
    await fill(full, repositories, events);
    const runs = bench.quick ? 1 : 3;
    const ours: number[] = [];
    const bare: number[] = [];
    for (let run = 0; run < runs; run++) {
      ours.push((await start(full)).readyMs);
      bare.push((await start(empty)).readyMs);
    }
    const memory = (await start(full, SETTLE_MS)).residentMiB;
    return {
      row: "start until ready",
      unit: "ms",
      better: "lower",
      how: `${repositories.toLocaleString("en")} repositories, ${events.toLocaleString("en")} events; ` +
        `${Math.round(memory)} MiB resident ${SETTLE_MS / 1000} s later`,
      ours,
      beside: [{ name: "an empty server", samples: bare }],
      figures: { repositories, events, residentMiB: memory },
    };
  },
};

/** Resident memory of a server that has nothing to do. */
export const memoryRow: Row = {
  name: "memory",
  async measure(bench) {
    const { residentMiB } = await start(await bench.newDirectory("memory"), SETTLE_MS);
    return {
      row: "idle memory",
      unit: "MiB",
      better: "lower",
      how: `resident, ${SETTLE_MS / 1000} s after the start of an empty server`,
      ours: [residentMiB],
      beside: [{ name: "the runtime with a bare Deno.serve", samples: [await bareRuntimeMiB()] }],
    };
  },
};

/** Starts a server and stops it `waitMs` after it was ready. */
async function start(dataPath: string, waitMs = 0): Promise<{ readyMs: number; residentMiB: number }> {
  let server: ServerProcess | undefined;
  const seconds = await secondsOf(async () =>
    server = await ServerProcess.start({ dataPath, env: SERVER_ENV })
  );
  try {
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    return { readyMs: seconds * 1000, residentMiB: await server!.residentBytes() / 2 ** 20 };
  } finally {
    await server!.stop();
  }
}

async function bareRuntimeMiB(): Promise<number> {
  const program = `Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("ok"));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", program],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const status = await Deno.readTextFile(`/proc/${child.pid}/status`);
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024;
  } finally {
    child.kill();
    await child.status;
  }
}

/** Announcements with an empty repository each, and events about them, unsigned: a start verifies nothing. */
async function fill(dataPath: string, repositories: number, events: number): Promise<void> {
  const template = `${dataPath}/template.git`;
  await git(dataPath, "init", "-q", "--bare", "--template=", template);
  const pending: string[] = [];
  const units: Changes[] = [];
  for (let n = 0; n < repositories; n++) {
    const owner = key(1 + n % OWNERS);
    const path = `${dataPath}/git/${encodeNpub(owner)}/r${n}.git`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    pending.push(path);
    units.push({ insertEvents: [{ event: announcement(owner, n), hosted: true }] });
  }
  while (pending.length > 0) {
    const group = pending.splice(0, COPIES);
    await Promise.all(group.map((path) => copyDirectory(template, path)));
  }
  for (let n = repositories; n < events; n++) {
    const about = n % repositories;
    units.push({ insertEvents: [{ event: issue(key(1 + about % OWNERS), about, n) }] });
  }
  await fillStore(dataPath, units);
  await Deno.remove(template, { recursive: true });
}

async function copyDirectory(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyDirectory(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

function announcement(owner: string, n: number): NostrEvent {
  const tags = [
    ["d", `r${n}`],
    ["clone", `https://bench.example/${encodeNpub(owner)}/r${n}.git`],
    ["relays", "wss://bench.example"],
  ];
  return unsigned(owner, 30617, n, tags);
}

function issue(owner: string, about: number, n: number): NostrEvent {
  return unsigned(key(1 + n % OWNERS), 1621, n, [["a", `30617:${owner}:r${about}`], ["p", owner]]);
}

function unsigned(pubkey: string, kind: number, n: number, tags: readonly (readonly string[])[]): NostrEvent {
  const content = kind === 1621 ? `issue ${n}: ${"text ".repeat(60)}` : "";
  return { id: key(n), pubkey, created_at: FIRST_SECOND + n, kind, tags, content, sig: "0".repeat(128) };
}

function key(n: number): string {
  return n.toString(16).padStart(64, "0");
}
