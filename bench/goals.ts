import { formatNumber, type Measured, median, type Outcome } from "./table.ts";

/** Outcomes by the name `--rows` knows them by. */
export type Outcomes = ReadonlyMap<string, Outcome>;

/** A figure a goal rests on; `met` compares it with the goal. */
interface Finding {
  readonly met: boolean;
  readonly figure: string;
}

/** What the program shall reach on two cores; `find` throws {@link NotMeasured} without its rows. */
interface Goal {
  readonly goal: string;
  readonly find: (read: Reader) => Finding;
  /** What keeps it from being met, said when it is missed; with figures that rows have shown. */
  readonly limit?: (read: Reader) => string | undefined;
}

/** Why a goal cannot be judged. */
class NotMeasured extends Error {}

/** Reads rows that were measured. */
class Reader {
  readonly #outcomes: Outcomes;

  constructor(outcomes: Outcomes) {
    this.#outcomes = outcomes;
  }

  row(name: string): Measured {
    const outcome = this.#outcomes.get(name);
    if (!outcome) throw new NotMeasured(`row ${name} was not run`);
    if ("error" in outcome) throw new NotMeasured(`row ${name} failed`);
    return outcome;
  }

  ours(name: string): number {
    return median(this.row(name).ours);
  }

  /** Median of what the row is compared with, the first unless `index` says otherwise. */
  beside(name: string, index = 0): number {
    const beside = this.row(name).beside[index];
    if (!beside || beside.samples.length === 0) throw new NotMeasured(`row ${name} has nothing beside it`);
    return median(beside.samples);
  }

  figure(name: string, figure: string): number {
    const value = this.row(name).figures?.[figure];
    if (value === undefined || Number.isNaN(value)) throw new NotMeasured(`row ${name} has no ${figure}`);
    return value;
  }
}

const number = formatNumber;
/** CPU time that two cores have, in milliseconds per second. */
const TWO_CORES_MS = 2_000;

const GOALS: readonly Goal[] = [
  {
    goal: "no-op fetches at 10 times the peer's rate",
    find: (read) => {
      const times = read.ours("noop") / read.beside("noop");
      return { met: times >= 10, figure: `${number(times)} times` };
    },
    limit: (read) => {
      const clients = read.figure("noop", "clientCpuMs");
      const both = TWO_CORES_MS / (10 * read.beside("noop"));
      return `client and server share two cores, which have ${
        number(both)
      } ms of CPU time for each fetch at 10 ` +
        `times the peer's rate; the client takes ${number(clients)} ms, our server ` +
        `${number(read.figure("noop", "serverCpuMs"))} ms`;
    },
  },
  {
    goal: "a warm clone takes a tenth of the peer's server CPU",
    find: (read) => {
      const own = read.figure("clonewarm-big", "serverCpuMs");
      const peer = read.figure("clonewarm-big", "peerCpuMs");
      return { met: own <= peer / 10, figure: `${number(own)} ms, peer ${number(peer)} ms` };
    },
    limit: () =>
      "no git runs any more: what is left is reading the kept pack and sending it, and a tick of 10 ms",
  },
  ...["clone-big", "clone-heavy"].map((name): Goal => ({
    goal: `a cold clone (${name}) takes at most 10 % longer than the peer's`,
    find: (read) => {
      const times = read.ours(name) / read.beside(name);
      return { met: times <= 1.1, figure: `${number(times)} times the peer's time` };
    },
    limit: (read) => {
      const client = read.figure(name, "clientCpuMs");
      const both = (server: string) => number(read.figure(name, server) + client);
      return `git, our server and the client share two cores and take ${
        both("serverCpuMs")
      } ms of CPU time for a ` +
        `clone, with the peer in our place ${both("peerCpuMs")} ms`;
    },
  })),
  {
    goal: "a small push takes at most 20 ms longer than the peer's",
    find: (read) => {
      const more = read.ours("push") - read.beside("push");
      return { met: more <= 20, figure: `${number(more)} ms longer` };
    },
  },
  {
    goal: "a push of 1 GiB grows our memory by at most 64 MiB",
    find: (read) => {
      const pushed = read.figure("push-large", "pushedMiB");
      if (pushed < 1_024) throw new NotMeasured(`${number(pushed)} MiB were pushed`);
      return atMost(read.figure("push-large", "memoryGrowthMiB"), 64, "MiB");
    },
  },
  {
    goal: "5,000 events in per second",
    find: (read) => atLeast(read.ours("events"), 5_000, "events/s"),
    limit: (read) => {
      const verification = 1e6 / read.beside("events", 1);
      return `each event takes ${
        number(read.figure("events", "serverCpuMicros"))
      } µs of CPU time of the server, ` +
        `${number(verification)} µs of them to verify its signature; at 5,000 per second two cores have ` +
        `${number(TWO_CORES_MS / 5)} µs for it and its client`;
    },
  },
  {
    goal: "2,000 REQs of 500 events per second from the store alone",
    find: (read) => atLeast(read.beside("reqs", 1), 2_000, "REQ/s"),
  },
  {
    goal: "REQs of 500 events at 0.9 of the rate of bare sending",
    find: (read) => atLeast(read.ours("reqs") / read.beside("reqs", 0), 0.9, "of it"),
    limit: (read) => {
      const [own, bare] = [read.figure("reqs", "serverCpuMicros"), read.figure("reqs", "bareCpuMicros")];
      const query = 1e6 / read.beside("reqs", 1);
      return `a REQ takes ${number(own)} µs of the server's one thread: ${
        number(bare)
      } µs to send as the bare ` +
        `server sends, a packet for each frame, and ${
          number(query)
        } µs in the store before the first of them`;
    },
  },
  {
    goal: "an event reaches 1,000 subscriptions within 20 ms (p99)",
    find: (read) => atMost(read.figure("fanout", "p99Ms"), 20, "ms"),
  },
  ...([["bystanders", "subscriptions"], ["stored", "stored events"]] as const).map(([name, of]): Goal => ({
    goal: `an event costs as much beside 10 times the ${of} (within 10 %)`,
    find: (read) => atMost(read.figure(name, "cpuTimes"), 1.1, "times the CPU"),
  })),
  {
    goal: "OK within 25 ms (p95) while a large clone runs",
    find: (read) => atMost(read.ours("busy"), 25, "ms"),
  },
  {
    goal: "no turn of the event loop above 50 ms while 100,000 events are served and synced",
    find: (read) => {
      const events = read.figure("loop", "events");
      if (events < 100_000) throw new NotMeasured(`there were ${number(events)} events`);
      return atMost(read.figure("loop", "longestMs"), 50, "ms");
    },
    limit: (read) =>
      `the longest turn computes for ${
        number(read.figure("loop", "longestBusyMs"))
      } ms; what is above that is ` +
      "waiting for the disk, as commits and checkpoints of the database do in the thread of the event loop",
  },
  {
    goal: "ready within 2 s with 10,000 repositories and 100,000 events",
    find: (read) => {
      const repositories = read.figure("start", "repositories");
      if (repositories < 10_000) throw new NotMeasured(`there were ${number(repositories)} repositories`);
      return atMost(read.ours("start") / 1000, 2, "s");
    },
  },
];

function atMost(value: number, limit: number, unit: string): Finding {
  return { met: value <= limit, figure: `${number(value)} ${unit}` };
}

function atLeast(value: number, limit: number, unit: string): Finding {
  return { met: value >= limit, figure: `${number(value)} ${unit}` };
}

/**
 * The goals as a Markdown table: met, missed or not measured, and the figure or the reason; then what limits those
 * that are missed.
 */
export function renderGoals(outcomes: Outcomes): string {
  const read = new Reader(outcomes);
  const judged = GOALS.map((goal) => judge(goal, read));
  const rows = judged.map(({ goal, result, figure }) => `| ${goal} | ${result} | ${figure} |`);
  const limits = judged.filter(({ result }) => result === "missed")
    .map(({ goal, limit }) => `- *${goal}*: ${limit ?? "not known"}.`);
  return [
    "| goal | result | measured |",
    "|---|---|---|",
    ...rows,
    ...(limits.length > 0 ? ["", "What limits those that are missed:", "", ...limits] : []),
  ].join("\n") + "\n";
}

interface Judged {
  readonly goal: string;
  readonly result: "met" | "missed" | "not measured";
  readonly figure: string;
  readonly limit?: string | undefined;
}

function judge({ goal, find, limit }: Goal, read: Reader): Judged {
  const finding = measuredOr(() => find(read), (reason) => reason);
  if (typeof finding === "string") return { goal, result: "not measured", figure: finding };
  const { met, figure } = finding;
  if (met) return { goal, result: "met", figure };
  return { goal, result: "missed", figure, limit: measuredOr(() => limit?.(read), () => undefined) };
}

/** What `read` returns, or what `otherwise` makes of the reason when a row or a figure is missing. */
function measuredOr<T, U>(read: () => T, otherwise: (reason: string) => U): T | U {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof NotMeasured)) throw error;
    return otherwise(error.message);
  }
}
