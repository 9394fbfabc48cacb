import { Mutex } from "async-mutex";
import { ItemRoom } from "../negentropy/mod.ts";

/** What the negentropy sessions of all connections share: memory, and one loading at a time. */
export class NegentropyCapacity extends ItemRoom {
  readonly #loading = new Mutex();

  /** Runs `load` when no other one runs: items on their way from the store take several times their room. */
  exclusively<T>(load: () => Promise<T>): Promise<T> {
    return this.#loading.runExclusive(load);
  }
}
