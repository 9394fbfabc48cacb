import { setImmediate } from "node:timers";

/**
 * Resolves in a later turn of the event loop. A local database answers without ever leaving the
 * current turn, so one busy connection would otherwise keep all sockets and timers waiting.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
