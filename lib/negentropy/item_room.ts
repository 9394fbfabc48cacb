/** Memory that several negotiations share, in items. */
export class ItemRoom {
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
