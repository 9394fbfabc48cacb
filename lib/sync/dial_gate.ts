/** Most dials at once. */
const MAX_DIALS = 10;
/** Slots kept for relays that are known to answer, so that hanging strangers do not delay them. */
const RESERVED_DIALS = 2;

/** A relay's wish to dial. */
interface Wish {
  readonly isProven: boolean;
  readonly start: () => void;
}

/** A place in the queue, and then a slot; {@link DialTicket.release} gives up either. */
export interface DialTicket {
  release(): void;
}

/** Bounds the dials at once; whoever comes first goes first, proven relays before others. */
export class DialGate {
  readonly #waiting = new Set<Wish>();
  readonly #running = new Set<Wish>();

  /** Calls `start` once there is a slot, at once if possible. */
  request(isProven: boolean, start: () => void): DialTicket {
    const wish: Wish = { isProven, start };
    this.#waiting.add(wish);
    this.#serve();
    return {
      release: () => {
        this.#waiting.delete(wish);
        if (this.#running.delete(wish)) this.#serve();
      },
    };
  }

  get running(): number {
    return this.#running.size;
  }

  #serve(): void {
    for (const isProven of [true, false]) {
      for (const wish of this.#waiting) {
        if (wish.isProven !== isProven) continue;
        if (this.#running.size >= (isProven ? MAX_DIALS : MAX_DIALS - RESERVED_DIALS)) break;
        this.#waiting.delete(wish);
        this.#running.add(wish);
        wish.start();
      }
    }
  }
}
