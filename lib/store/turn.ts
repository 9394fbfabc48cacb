import { setImmediate } from "node:timers";

/**
 * The end of this turn of the event loop, for work that must let others in: the database never
 * yields by itself. Not the clock's business: a virtual clock that stands still must not hold it up.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
