import { Arrivals } from "./arrivals.ts";
import { Commits } from "./commits.ts";
import { differences, type Evidence } from "./compare.ts";
import { Dice } from "./dice.ts";
import { Faults } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { Machine } from "./machine.ts";
import { SimNetwork } from "./sim_network.ts";
import { silentLog } from "../support/silent_log.ts";
import { traceLog } from "./trace_log.ts";
import { type Amount, Traffic } from "./traffic.ts";
import { Workload } from "./workload.ts";
import { World } from "./world.ts";
import { fastTempDirectory } from "../support/fast_directory.ts";

/** What one run is made of; the same plan gives the same run. */
export interface Plan {
  readonly seed: number;
  readonly machines: number;
  readonly projects: number;
  /** What users do after the projects have begun. */
  readonly actions: number;
  readonly faults: number;
  /** Share of EVENT messages between servers that vanish although their connection stays. */
  readonly loss: number;
  readonly deletions: boolean;
  /** Announcements go to every server they list, not to one or two. */
  readonly carefulUsers: boolean;
  /** Whether repositories gain and leave servers on the way. */
  readonly moves: boolean;
  /** How long users act and things break, in virtual milliseconds. */
  readonly activeMs: number;
  /** How long the network may take to converge afterwards. */
  readonly patienceMs: number;
  /** How long the network is watched doing nothing once it has converged. */
  readonly idleMs: number;
}

/** How a run is watched. */
export interface RunOptions {
  /** Prints the log of every server. */
  readonly trace?: boolean;
  /** Called at the end, with everything still running. */
  readonly inspect?: (evidence: Evidence) => Promise<void>;
}

/** How one run ended. */
export interface Report {
  readonly plan: Plan;
  /** Differences to what the oracle says, and broken invariants; empty when all is well. */
  readonly problems: readonly string[];
  /** From the last action or repair until nothing differed any more, in virtual milliseconds. */
  readonly convergedAfterMs: number | undefined;
  readonly events: number;
  readonly faults: number;
  readonly traffic: ReadonlyMap<string, Amount>;
  readonly total: Amount;
  /** Virtual length of the run. */
  readonly elapsedMs: number;
  /** Messages while nobody did anything, see {@link Plan.idleMs}. */
  readonly idleMessages: number;
  /** Connections between servers at the end. */
  readonly links: number;
  /** Of each issue and comment: from its first acceptance until the last server served it. */
  readonly spreadMs: readonly number[];
  /** Changes when anything about the run does. */
  readonly fingerprint: string;
}

/** When the network is looked at after the last action, in milliseconds. */
const LOOKS_MS = [
  1_000,
  5_000,
  15_000,
  30_000,
  60_000,
  120_000,
  240_000,
  480_000,
  900_000,
  1_800_000,
  3_600_000,
  7_200_000,
  14_400_000,
  28_800_000,
  57_600_000,
  100_800_000,
];

/** How often the gauges are looked at. */
const GAUGE_MS = 6_000;

/** The plan of a seed in its usual size. */
export function planOf(seed: number, machines?: number): Plan {
  const dice = new Dice(seed ^ 0x5bd1e995);
  const count = machines ?? dice.between(2, 5);
  return {
    seed,
    machines: count,
    projects: Math.max(1, Math.round(count / 2)),
    actions: dice.between(8, 20),
    faults: dice.chance(0.2) ? 0 : dice.between(2, 12),
    deletions: dice.chance(0.5),
    loss: 0,
    moves: true,
    carefulUsers: false,
    activeMs: 900_000,
    patienceMs: 100_800_000,
    idleMs: 0,
  };
}

/** Runs one plan from the first announcement to convergence, or to the end of patience. */
export async function run(plan: Plan, { trace = false, inspect }: RunOptions = {}): Promise<Report> {
  const directory = await fastTempDirectory("sim-");
  const dice = new Dice(plan.seed);
  const world = new World();
  const traffic = new Traffic();
  const commits = new Commits(dice.fork());
  const network = new SimNetwork(world, dice.fork(), traffic, plan.loss);
  const machines = new Map<string, Machine>();
  const ledger = new Ledger();
  const arrivals = new Arrivals(world);
  const logOf = (name: string) => trace ? traceLog(world, name) : silentLog;
  try {
    const hosts = Array.from({ length: plan.machines }, (_, index) => `s${index}.example`);
    for (const host of hosts) {
      const surroundings = {
        logOf,
        arrivals,
        world,
        network,
        traffic,
        commits,
        directory,
        diskOf: (other: string) => machines.get(other)?.isUp ? machines.get(other)?.disk : undefined,
      };
      const bootstrap = dice.chance(0.5) ? [dice.pick(hosts)].filter((other) => other !== host) : [];
      machines.set(host, new Machine(host, surroundings, dice.fork(), { skewMs: 0, bootstrap }));
    }
    await drive(world, async () => void await Promise.all([...machines.values()].map((one) => one.start())));
    const watch = watchGauges(world, network, machines);
    const workload = new Workload({
      world,
      machines,
      commits,
      ledger,
      dice: dice.fork(),
      carefulUsers: plan.carefulUsers,
    });
    const faults = new Faults({ world, machines, network, dice: dice.fork(), log: logOf("network") });
    await drive(world, () => act(plan, world, workload, faults, dice.fork()));
    const begin = world.elapsed;
    const broken = watch.stop();
    let problems: string[] = ["nobody looked"];
    let convergedAfterMs: number | undefined;
    for (const look of LOOKS_MS.filter((ms) => ms <= plan.patienceMs)) {
      await world.runUntil(begin + look);
      problems = await differences({ machines, ledger, commits });
      if (problems.length > 0) continue;
      convergedAfterMs = look;
      break;
    }
    problems.push(...broken);
    await inspect?.({ machines, ledger, commits });
    const total = traffic.total();
    const lastedMs = world.elapsed;
    await world.runUntil(world.elapsed + plan.idleMs);
    return {
      plan,
      problems,
      convergedAfterMs,
      events: ledger.events.size,
      faults: faults.count,
      traffic: traffic.byType,
      total,
      elapsedMs: lastedMs,
      idleMessages: traffic.total().messages - total.messages,
      links: hosts.reduce((sum, host) => sum + network.sockets(host), 0),
      spreadMs: spread(ledger, arrivals),
      fingerprint: `${world.steps} ${world.elapsed} ${total.messages} ${total.bytes} ${ledger.events.size}`,
    };
  } finally {
    for (const machine of machines.values()) machine.discard();
    await world.settle();
    await Deno.remove(directory, { recursive: true });
  }
}

/** Only what needs no git data: its way is the network alone. */
function spread({ events }: Ledger, arrivals: Arrivals): number[] {
  return [...events.values()].flatMap(({ event, acceptedAt }) => {
    const last = event.kind === 1621 || event.kind === 1111 ? arrivals.last(event.id) : undefined;
    return last === undefined || acceptedAt === undefined ? [] : [Math.max(0, last - acceptedAt)];
  });
}

/** Users and faults, each at its own time; resolves when the last of them is done. */
async function act(plan: Plan, world: World, workload: Workload, faults: Faults, dice: Dice): Promise<void> {
  const at = async (ms: number, work: () => Promise<void>) => {
    await world.pause(ms);
    await work();
  };
  const running: Promise<void>[] = [];
  for (let project = 0; project < plan.projects; project++) {
    running.push(at(dice.below(plan.activeMs / 3), () => workload.startProject()));
  }
  const deeds = ["commit", "commit", "commit", "openIssue", "openIssue", "comment", "comment"] as const;
  const rare = ["openPullRequest", "openPullRequest"] as const;
  const moves = ["moveProject", "leaveServer"] as const;
  const deletions = ["deleteSomething", "deleteSomething", "deleteProject"] as const;
  for (let action = 0; action < plan.actions; action++) {
    const deed = dice.pick([
      ...deeds,
      ...rare,
      ...(plan.moves ? moves : []),
      ...(plan.deletions ? deletions : []),
    ]);
    running.push(at(dice.between(plan.activeMs / 4, plan.activeMs), async () => {
      const living = workload.projects.filter(({ deleted }) => !deleted);
      if (living.length > 0) await workload[deed](dice.pick(living));
    }));
  }
  for (let fault = 0; fault < plan.faults; fault++) {
    running.push(at(dice.below(plan.activeMs), () => faults.strike()));
  }
  await Promise.all(running);
}

/** Lets virtual time pass until `work` is done. */
async function drive(world: World, work: () => Promise<void>): Promise<void> {
  let done = false;
  const ended = work().finally(() => done = true);
  while (!done) await world.runUntil(world.elapsed + 1_000);
  await ended;
}

/** Compares, ten times a minute, what servers say about their connections with the sockets there are. */
function watchGauges(
  world: World,
  network: SimNetwork,
  machines: ReadonlyMap<string, Machine>,
): { stop(): readonly string[] } {
  const found: string[] = [];
  let going = true;
  const look = () => {
    for (const [host, machine] of machines) {
      const said = machine.engine?.connected() ?? 0;
      const counted = machine.isUp ? network.sockets(host) : 0;
      if (said !== counted) {
        found.push(`${host} says ${said} connections, has ${counted} (${world.elapsed} ms)`);
      }
    }
    if (going) world.after(GAUGE_MS, look);
  };
  world.after(GAUGE_MS, look);
  return {
    stop: () => {
      going = false;
      return found.slice(0, 5);
    },
  };
}
