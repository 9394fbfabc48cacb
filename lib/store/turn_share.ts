import type { Clock } from "../world/mod.ts";
import { nextTurn } from "./turn.ts";

/** How long reads may keep one turn of the event loop, in milliseconds; the last to begin ends later. */
const SHARE_MS = 10;

/**
 * The part of each turn that reads of a local database may have, which answers without ever leaving the
 * turn: however many are asked for at once, sockets and timers wait for this share and one read.
 */
export class TurnShare {
  readonly #clock: Clock;
  #usedMs = 0;
  /** The end of a turn in which something was read. */
  #end: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts `read` in this turn, or in the first in which there is some of the share left. */
  async take<T>(read: () => Promise<T>): Promise<T> {
    while (this.#usedMs >= SHARE_MS) await this.#end;
    this.#end ??= nextTurn().then(() => {
      this.#usedMs = 0;
      this.#end = undefined;
    });
    const start = this.#clock.monotonic();
    const result = read();
    this.#usedMs += this.#clock.monotonic() - start;
    return await result;
  }
}
