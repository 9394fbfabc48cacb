import type { Dice } from "./dice.ts";

/** All commits that exist anywhere, by id; who holds which is another matter. */
export class Commits {
  readonly #parents = new Map<string, readonly string[]>();
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** A new commit on top of `parents`. */
  create(parents: readonly string[]): string {
    const oid = this.#dice.hex(40);
    this.#parents.set(oid, parents);
    return oid;
  }

  /** True when some user made this commit. */
  has(oid: string): boolean {
    return this.#parents.has(oid);
  }

  /** `oids` with everything they reach. */
  closure(oids: Iterable<string>): Set<string> {
    const reached = new Set<string>();
    const open = [...oids];
    for (let oid = open.pop(); oid !== undefined; oid = open.pop()) {
      if (reached.has(oid)) continue;
      reached.add(oid);
      open.push(...this.#parents.get(oid) ?? []);
    }
    return reached;
  }
}
