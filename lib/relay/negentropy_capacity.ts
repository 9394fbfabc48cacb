import { Mutex } from "async-mutex";

/** What the negentropy sessions of all connections share: memory, and one loading at a time. */
export class NegentropyCapacity {
  readonly #loading = new Mutex();
  readonly #maxItems: number;
  #items = 0;

  /** `maxItems` may be held in all; a single set always fits when it is alone. */
  constructor(maxItems: number) {
    this.#maxItems = maxItems;
  }

  /** Items held. */
  get items(): number {
    return this.#items;
  }

  /** Runs `load` when no other one runs: items on their way from the store take several times their room. */
  exclusively<T>(load: () => Promise<T>): Promise<T> {
    return this.#loading.runExclusive(load);
  }

  /** Reserves room for `count` items; false when there is none. */
  take(count: number): boolean {
    if (this.#items > 0 && this.#items + count > this.#maxItems) return false;
    this.#items += count;
    return true;
  }

  /** Gives back what was taken. */
  give(count: number): void {
    this.#items -= count;
  }
}
