import type { ItemRoom } from "../negentropy/mod.ts";

/** Ids listed for one history; what peers may list is bounded for each and for all together. */
export class ListedIds {
  readonly #room: ItemRoom;
  readonly #max: number;
  #count = 0;

  constructor(room: ItemRoom, max: number) {
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
