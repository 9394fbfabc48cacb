import type { Dice } from "../fuzz/dice.ts";
import type { Node, Stop } from "./node.ts";

/** What was done to the servers so far, by name. */
export type FaultCounts = Record<string, number>;

/** One fault: begins when called, has ended when its promise resolves. */
type Fault = (node: Node, dice: Dice, signal: AbortSignal) => Promise<void>;

const MAX_PAUSE_MS = 6_000;
const MAX_FAULT_MS = 8_000;

const FAULTS: Readonly<Record<string, Fault>> = {
  "kill -9": (node, dice, signal) =>
    down(node, dice.chance(50) ? "kill" : "kill with children", dice, signal),
  "restart": (node, dice, signal) => down(node, "terminate", dice, signal),
  "cut": (node, dice) => {
    node.proxy.cut(dice.chance(50) ? "fin" : "rst");
    return Promise.resolve();
  },
  "refuse": async ({ proxy }, dice, signal) => {
    proxy.accepting = "refuse";
    proxy.cut("rst");
    await wait(dice.below(MAX_FAULT_MS), signal);
    proxy.accepting = "pass";
  },
  "hang": async ({ proxy }, dice, signal) => {
    proxy.accepting = "hang";
    proxy.cut("fin");
    await wait(dice.below(MAX_FAULT_MS), signal);
    proxy.accepting = "pass";
  },
  "black hole": async ({ proxy }, dice, signal) => {
    proxy.blackHole(true);
    await wait(dice.below(MAX_FAULT_MS), signal);
    // Bytes were lost: TCP would never let such a connection go on.
    proxy.cut("rst");
    proxy.blackHole(false);
  },
  "slow": async ({ proxy }, dice, signal) => {
    for (const direction of [proxy.toBackend, proxy.toClient]) {
      direction.bytesPerSecond = 20_000 + dice.below(200_000);
      direction.jitterMs = dice.below(20);
    }
    await wait(dice.below(2 * MAX_FAULT_MS), signal);
    for (const direction of [proxy.toBackend, proxy.toClient]) {
      direction.bytesPerSecond = 0;
      direction.jitterMs = 0;
    }
  },
  "cut within a message": async ({ proxy }, dice, signal) => {
    proxy.toClient.cutAfterBytes = dice.below(5_000);
    await wait(dice.below(MAX_FAULT_MS), signal);
    proxy.toClient.cutAfterBytes = Infinity;
  },
};

/**
 * Disturbs the servers at random until `signal` aborts, one fault per server at a time; all faults have
 * ended and all servers run when it resolves. Rejects when a server does not stop or start as it should.
 */
export async function disturb(
  nodes: readonly Node[],
  dice: Dice,
  counts: FaultCounts,
  signal: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  while (!signal.aborted && failures.length === 0) {
    await wait(dice.below(MAX_PAUSE_MS), signal);
    const node = dice.pick(nodes);
    const [name, fault] = dice.pick(Object.entries(FAULTS));
    if (signal.aborted || node.disturbed) continue;
    counts[name] = (counts[name] ?? 0) + 1;
    node.disturbed = true;
    const done = fault(node, dice, signal)
      .catch((error) => void failures.push(error))
      .finally(() => {
        node.disturbed = false;
        running.delete(done);
      });
    running.add(done);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}

async function down(node: Node, how: Stop, dice: Dice, signal: AbortSignal): Promise<void> {
  await node.stop(how);
  await wait(dice.below(MAX_FAULT_MS), signal);
  await node.start();
}

/** Waits, at most until `signal` aborts. */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}
