import type { Logger } from "../../lib/observe/mod.ts";
import type { Dice } from "./dice.ts";
import type { Machine } from "./machine.ts";
import type { SimNetwork } from "./sim_network.ts";
import type { World } from "./world.ts";

/** What faults act on. */
export interface FaultParts {
  readonly world: World;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly network: SimNetwork;
  readonly dice: Dice;
  readonly log: Logger;
}

/** Longest outage of one fault, in milliseconds: events must not expire from purgatory over it. */
const MAX_OUTAGE_MS = 240_000;
/** Farthest a clock is set from the truth; far less than the overlap of a catch-up. */
const MAX_SKEW_MS = 420_000;

/** Breaks things, one at a time on each machine and link, and repairs them. */
export class Faults {
  readonly #parts: FaultParts;
  readonly #broken = new Set<string>();
  #count = 0;

  constructor(parts: FaultParts) {
    this.#parts = parts;
  }

  /** Number of faults so far. */
  get count(): number {
    return this.#count;
  }

  /** One fault from its start to its repair. */
  async strike(): Promise<void> {
    const { dice, machines, network, world, log } = this.#parts;
    const hosts = [...machines.keys()];
    const length = dice.between(1_000, MAX_OUTAGE_MS);
    switch (dice.pick(["kill", "kill", "cut", "cut", "hole", "skew"] as const)) {
      case "kill":
        return await this.#kill(machines.get(dice.pick(hosts))!, length);
      case "skew":
        this.#count++;
        return machines.get(dice.pick(hosts))!.skew(dice.between(-MAX_SKEW_MS, MAX_SKEW_MS));
      case "cut":
      case "hole": {
        const [a, b] = dice.some(hosts, 2);
        const state = dice.chance(0.5) ? "cut" : "hole";
        if (a === undefined || b === undefined) return;
        await this.#during(`${a} ${b}`, async () => {
          log.info("LINK", { a, b, state });
          network.link(a, b, state);
          await world.pause(length);
          log.info("LINK", { a, b, state: "open" });
          network.link(a, b, "open");
        });
      }
    }
  }

  async #kill(machine: Machine, length: number): Promise<void> {
    if (!machine.isUp) return;
    await this.#during(machine.host, async () => {
      machine.kill();
      await this.#parts.world.pause(length);
      await machine.start();
    });
  }

  async #during(name: string, work: () => Promise<void>): Promise<void> {
    if (this.#broken.has(name)) return;
    this.#broken.add(name);
    this.#count++;
    await work();
    this.#broken.delete(name);
  }
}
