/** Memory shared by the negotiations of all links, in items of their sets. */
export class NegotiationRoom {
  readonly #maxItems: number;
  #items = 0;

  /** About 42 bytes an item. */
  constructor(maxItems: number) {
    this.#maxItems = maxItems;
  }

  /** Reserves room for `count` items; false when there is none. A set that is alone always fits. */
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
