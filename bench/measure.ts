/** Runs `work` and returns how long it took, in seconds. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/**
 * Repeats `work` on `connections` tasks side by side for `seconds`; returns completed runs per
 * second. Work under way at the end is counted with the time it took.
 */
export async function ratePerSecond(
  connections: number,
  seconds: number,
  work: (connection: number) => Promise<unknown>,
): Promise<number> {
  let done = 0;
  const end = performance.now() + seconds * 1000;
  const elapsed = await secondsOf(() =>
    Promise.all(Array.from({ length: connections }, async (_, connection) => {
      while (performance.now() < end) {
        await work(connection);
        done++;
      }
    }))
  );
  return done / elapsed;
}

/** Alternates the contenders for `runs` rounds, so that noise of the machine meets all of them. */
export async function alternate(
  runs: number,
  contenders: readonly ((run: number) => Promise<number>)[],
): Promise<number[][]> {
  const samples: number[][] = contenders.map(() => []);
  for (let run = 0; run < runs; run++) {
    for (const [index, contender] of contenders.entries()) samples[index]!.push(await contender(run));
  }
  return samples;
}

/** The smallest sample that at least `share` (0 to 1) of all samples do not exceed; NaN for none. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** Milliseconds of one clock tick, what /proc counts CPU time in; the same on every Linux that Deno runs on. */
export const TICK_MS = 10;

/** CPU seconds used so far by the processes `roots`, their living descendants and the dead ones they waited for. */
export async function cpuSeconds(roots: readonly number[]): Promise<number> {
  return await cpuTicks(roots) * TICK_MS / 1000;
}

/** The same in clock ticks. */
export async function cpuTicks(roots: readonly number[]): Promise<number> {
  const parents = new Map<number, number>();
  const ticks = new Map<number, number>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    const fields = fieldsOf(stat);
    parents.set(Number(name), Number(fields[1]));
    ticks.set(Number(name), ticksOf(fields));
  }
  const belongs = (pid: number): boolean =>
    roots.includes(pid) || (parents.has(pid) && pid > 1 && belongs(parents.get(pid)!));
  let sum = 0;
  for (const [pid, count] of ticks) if (belongs(pid)) sum += count;
  return sum;
}

/** Fields of /proc/PID/stat behind the command name, which stands in parentheses and may contain spaces. */
function fieldsOf(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** User and system time, own and of children waited for. */
function ticksOf(fields: readonly string[]): number {
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

/** CPU ticks used so far by this process and the children it has waited for: the clients of a git row. */
export async function clientCpuTicks(): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${Deno.pid}/stat`);
  return ticksOf(fieldsOf(stat));
}

/** CPU ticks used so far by everything on this machine. */
export async function machineCpuTicks(): Promise<number> {
  const fields = (await Deno.readTextFile("/proc/stat")).split("\n")[0]!.split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0] = fields;
  return user + nice + system;
}

/** One line each: the machine, and the versions of what was measured. */
export async function describeMachine(): Promise<readonly string[]> {
  const cpu = /model name\s*:\s*(.+)/.exec(await Deno.readTextFile("/proc/cpuinfo").catch(() => ""))?.[1];
  const memory = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  const versions = await Promise.all([
    firstLine("git", ["--version"]),
    firstLine("nginx", ["-v"]),
    firstLine("git", ["rev-parse", "--short", "HEAD"]),
    firstLine("git", ["status", "--porcelain", "--", "../lib", "../main.ts"]),
  ]);
  const [git, nginx, commit, changed] = versions;
  return [
    `${
      cpu ?? "unknown CPU"
    }, ${navigator.hardwareConcurrency} cores, ${memory} GiB, ${Deno.build.os} ${Deno.osRelease()}`,
    [
      `deno ${Deno.version.deno}`,
      git,
      nginx ?? "no nginx",
      `commit ${commit ?? "unknown"}${changed ? " with local changes" : ""}`,
      new Date().toISOString().slice(0, 10),
    ].join(", "),
  ];
}

async function firstLine(command: string, args: string[]): Promise<string | undefined> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd: import.meta.dirname! })
      .output();
    if (code !== 0) return undefined;
    return new TextDecoder().decode(stdout.length > 0 ? stdout : stderr).split("\n")[0]!.trim();
  } catch {
    return undefined; // not installed
  }
}
