import { expectSoundDatabase } from "../crash/verify.ts";
import { Dice } from "../fuzz/dice.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { disturb, type FaultCounts, wait } from "./faults.ts";
import type { Tally } from "./ledger.ts";
import { Node } from "./node.ts";
import { openSource } from "./source.ts";
import { User } from "./user.ts";
import { checkRepositories, compareEvents, compareRefs, type Difference } from "./verify.ts";

const SAMPLE_MS = 1_000;
const MOST_DIFFERENCES = 20;

/** How to soak. */
export interface SoakOptions {
  readonly seed: number;
  /** How long faults and work go on. */
  readonly disturbedMs: number;
  /** Longest time from the end of the last fault to equality. */
  readonly convergenceMs: number;
  readonly users: number;
  /** Everything is kept below it, logs included. */
  readonly directory: string;
  readonly progress: (text: string) => void;
}

/** What happened. */
export interface SoakFigures {
  readonly tally: Tally;
  readonly faults: FaultCounts;
  readonly repositories: number;
  /** From the end of the last fault and the last acknowledged action to equality. */
  readonly convergenceSeconds: number;
  readonly maxResidentMiB: readonly number[];
  readonly redundantIds: number;
}

/**
 * Three servers that follow each other, users that send everything to one of them, and random faults;
 * then the faults stop, and the servers have to come to the state that the acknowledged events describe.
 * Throws with the differences when they do not.
 */
export async function soak(options: SoakOptions): Promise<SoakFigures> {
  const nodes = await openNodes(options.directory);
  try {
    return await soakNodes(nodes, options);
  } finally {
    await Promise.all(nodes.map((node) => node.close()));
    await writeLogs(nodes, options.directory);
  }
}

async function openNodes(directory: string): Promise<Node[]> {
  const names = ["A", "B", "C"];
  return await Promise.all(
    names.map(async (name) => new Node(name, await TcpProxy.start(), `${directory}/${name}`)),
  );
}

/** Timers fit to see recovery often; everything else as in production. */
function environmentOf(node: Node, nodes: readonly Node[]): Record<string, string> {
  const peers = nodes.filter((other) => other !== node).map(({ domain }) => `ws://${domain}`);
  return {
    NGIT_TEST: "1",
    NGIT_SYNC_BOOTSTRAP_RELAY_URL: peers.join(","),
    NGIT_SYNC_BASE_BACKOFF_SECS: "2",
    NGIT_SYNC_MAX_BACKOFF_SECS: "10",
    // The short one of test mode fails batches on a slow link, and a repair takes ten minutes to begin.
    NGIT_SYNC_EOSE_TIMEOUT_SECS: "8",
    NGIT_SYNC_GIT_MAX_PER_MINUTE_PER_HOST: "100000",
    NGIT_LOG_LEVEL: Deno.env.get("SOAK_LOG_LEVEL") ?? "info",
  };
}

async function soakNodes(nodes: readonly Node[], options: SoakOptions): Promise<SoakFigures> {
  const { seed, directory, progress } = options;
  const dice = new Dice(seed);
  const tally: Tally = { events: 0, pushes: 0, retries: 0 };
  const faults: FaultCounts = {};
  const source = await openSource(`${directory}/source.git`);
  for (const node of nodes) await node.start(environmentOf(node, nodes));
  const users = Array.from(
    { length: options.users },
    (_, index) => new User(`user${index}`, new Dice(dice.below(2 ** 31)), nodes, source, tally),
  );
  const work = new AbortController();
  const trouble = new AbortController();
  const sampling = new AbortController();
  const sampled = sample(nodes, sampling.signal);
  const disturbed = disturb(nodes, new Dice(dice.below(2 ** 31)), faults, trouble.signal);
  const worked = Promise.all(users.map((user) => user.work(work.signal)));
  // The first failure ends everything; the time ends the faults first, so that open actions can be finished.
  const failed = Promise.race([disturbed, worked]).then(() => {});
  const stopAll = () => [trouble, work].forEach((controller) => controller.abort());
  failed.catch(stopAll);
  try {
    await report(options, work.signal, () => `${describe(tally)}; ${describe(faults)}`);
    stopAll();
    await Promise.all([disturbed, worked]);
    const convergenceSeconds = await converge(nodes, users, options);
    const redundant = await redundantIds(nodes);
    const maxResidentMiB = nodes.map(({ maxResidentBytes }) => Math.round(maxResidentBytes / 2 ** 20));
    progress("equal; checking repositories and databases");
    for (const node of nodes) await node.stop("terminate");
    let repositories = 0;
    for (const node of nodes) {
      repositories += await checkRepositories(node);
      await expectSoundDatabase(`${node.dataPath}/relay/relay.db`);
    }
    return { tally, faults, repositories, convergenceSeconds, maxResidentMiB, redundantIds: redundant };
  } finally {
    stopAll();
    sampling.abort();
    await Promise.allSettled([disturbed, worked, sampled]);
  }
}

/** Says every ten seconds how far it is, until the disturbed time is over or something failed. */
async function report(options: SoakOptions, signal: AbortSignal, text: () => string): Promise<void> {
  const end = performance.now() + options.disturbedMs;
  while (performance.now() < end && !signal.aborted) {
    await wait(Math.min(10_000, end - performance.now()), signal);
    options.progress(`${Math.max(0, Math.round((end - performance.now()) / 1000))} s left: ${text()}`);
  }
}

async function sample(nodes: readonly Node[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await Promise.all(nodes.map((node) => node.sample()));
    await wait(SAMPLE_MS, signal);
  }
}

/** Waits for equality; returns the seconds it took. Throws with the differences that remain. */
async function converge(
  nodes: readonly Node[],
  users: readonly User[],
  { convergenceMs, directory, progress }: SoakOptions,
): Promise<number> {
  const projects = users.flatMap((user) => user.projects);
  const start = performance.now();
  for (;;) {
    let differences: Difference[] = await compareEvents(nodes, projects);
    if (differences.length === 0) differences = await compareRefs(nodes, projects, directory);
    const seconds = (performance.now() - start) / 1000;
    if (differences.length === 0) return seconds;
    if (seconds * 1000 > convergenceMs) {
      const lines = differences.slice(0, MOST_DIFFERENCES).map(({ text }) => text);
      throw new Error(
        `${differences.length} differences remain after ${Math.round(seconds)} s:\n${lines.join("\n")}`,
      );
    }
    progress(`${Math.round(seconds)} s after the last fault: ${differences.length} differences`);
    await wait(2_000);
  }
}

/**
 * Ids that were asked for although held, over the last lives: a user who sends the same event to a second
 * server while it is on its way there makes a few.
 */
async function redundantIds(nodes: readonly Node[]): Promise<number> {
  const counts = await Promise.all(
    nodes.map((node) => node.metric("ngit_sync_negentropy_redundant_ids_total")),
  );
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

async function writeLogs(nodes: readonly Node[], directory: string): Promise<void> {
  for (const { name, logs } of nodes) await Deno.writeTextFile(`${directory}/${name}.log`, logs.join("\n"));
}

function describe(counts: Readonly<Record<string, number>> | Tally): string {
  return Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ");
}
