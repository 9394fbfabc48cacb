/** Remembered at most; enough for the time between a request and its answer. */
const MAX_IDS = 20_000;

/** The ids that peers delivered last, whatever became of them; shared by all links. */
export class Arrivals {
  readonly #ids = new Set<string>();

  /** Adds an id; false when it is there already. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > MAX_IDS) this.#ids.delete(this.#ids.values().next().value!);
    return true;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }
}
