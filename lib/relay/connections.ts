import { addressKey } from "../observe/mod.ts";

/** Counts open connections, in total and by address; entries vanish with their last connection. */
export class ConnectionCounter {
  readonly #byAddress = new Map<string, number>();
  #total = 0;

  /** Open connections. */
  get total(): number {
    return this.#total;
  }

  /** Open connections of the network `remoteAddress` belongs to, see {@link addressKey}. */
  of(remoteAddress: string): number {
    return this.#byAddress.get(addressKey(remoteAddress)) ?? 0;
  }

  /** Counts one connection; the function returned takes it back, once. */
  add(remoteAddress: string): () => void {
    const key = addressKey(remoteAddress);
    this.#byAddress.set(key, (this.#byAddress.get(key) ?? 0) + 1);
    this.#total++;
    let isCounted = true;
    return () => {
      if (!isCounted) return;
      isCounted = false;
      this.#total--;
      const left = (this.#byAddress.get(key) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(key);
      else this.#byAddress.set(key, left);
    };
  }
}
