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

const GOALS: readonly Goal[] = [
  {
    goal: "no-op fetches at 10 times the peer's rate",
    find: (read) => {
      const times = read.ours("noop") / read.beside("noop");
      return { met: times >= 10, figure: `${number(times)} times` };
    },
  },
  {
    goal: "a warm clone takes a tenth of the peer's server CPU",
    find: (read) => {
      const own = read.figure("clonewarm-big", "serverCpuMs");
      const peer = read.figure("clonewarm-big", "peerCpuMs");
      return { met: own <= peer / 10, figure: `${number(own)} ms, peer ${number(peer)} ms` };
    },
  },
  ...["clone-big", "clone-heavy"].map((name): Goal => ({
    goal: `a cold clone (${name}) takes at most 10 % longer than the peer's`,
    find: (read) => {
      const times = read.ours(name) / read.beside(name);
      return { met: times <= 1.1, figure: `${number(times)} times the peer's time` };
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
  },
  {
    goal: "2,000 REQs of 500 events per second from the store alone",
    find: (read) => atLeast(read.beside("reqs", 1), 2_000, "REQ/s"),
  },
  {
    goal: "REQs of 500 events at 0.9 of the rate of bare sending",
    find: (read) => atLeast(read.ours("reqs") / read.beside("reqs", 0), 0.9, "of it"),
  },
  {
    goal: "an event reaches 1,000 subscriptions within 20 ms (p99)",
    find: (read) => atMost(read.figure("fanout", "p99Ms"), 20, "ms"),
  },
  {
    goal: "OK within 25 ms (p95) while a large clone runs",
    find: (read) => atMost(read.ours("busy"), 25, "ms"),
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

/** The goals as a Markdown table: met, missed or not measured, and the figure or the reason. */
export function renderGoals(outcomes: Outcomes): string {
  const read = new Reader(outcomes);
  const lines = GOALS.map(({ goal, find }) => {
    try {
      const { met, figure } = find(read);
      return `| ${goal} | ${met ? "met" : "missed"} | ${figure} |`;
    } catch (error) {
      if (!(error instanceof NotMeasured)) throw error;
      return `| ${goal} | not measured | ${error.message} |`;
    }
  });
  return ["| goal | result | measured |", "|---|---|---|", ...lines].join("\n") + "\n";
}
