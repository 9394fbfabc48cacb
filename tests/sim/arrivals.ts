import type { Store } from "../../lib/store/mod.ts";
import type { World } from "./world.ts";

/** When which server began to serve what. */
export class Arrivals {
  readonly #world: World;
  readonly #last = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Follows one machine's database until it is closed. */
  follow(store: Store): void {
    store.watch(({ insertEvents = [] }, verdicts) => {
      insertEvents.forEach(({ event }, index) => {
        if (verdicts[index] === "stored") this.#last.set(event.id, this.#world.elapsed);
      });
    });
  }

  /** When the last server began to serve `id`, in ms since the start; undefined when none did. */
  last(id: string): number | undefined {
    return this.#last.get(id);
  }
}
