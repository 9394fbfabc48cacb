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

/** The ids the store took in last, from wherever they came, in their order; shared by all links. */
export class KeptEvents {
  readonly #places = new Map<string, number>();
  #place = 0;

  /** The present moment, for {@link KeptEvents.isSince}. */
  get mark(): number {
    return this.#place;
  }

  add(id: string): void {
    if (this.#places.has(id)) return;
    this.#places.set(id, ++this.#place);
    if (this.#places.size > MAX_IDS) this.#places.delete(this.#places.keys().next().value!);
  }

  /** True when this id was taken in after `mark`. */
  isSince(id: string, mark: number): boolean {
    return (this.#places.get(id) ?? 0) > mark;
  }
}
