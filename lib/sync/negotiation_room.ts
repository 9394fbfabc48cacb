/** Memory shared by the negotiations of all links, in items. */
export class NegotiationRoom {
  readonly #maxItems: number;
  #items = 0;

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

/** Ids listed for one history; what peers may list is bounded for each and for all together. */
export class ListedIds {
  readonly #room: NegotiationRoom;
  readonly #max: number;
  #count = 0;

  constructor(room: NegotiationRoom, max: number) {
    this.#room = room;
    this.#max = max;
  }

  /** Reserves room for `count` more ids; false when there is none. */
  take(count: number): boolean {
    if (this.#count + count > this.#max || !this.#room.take(count)) return false;
    this.#count += count;
    return true;
  }

  /** The history has ended. */
  end(): void {
    this.#room.give(this.#count);
    this.#count = 0;
  }
}
