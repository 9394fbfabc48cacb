import type { SyncGroup } from "../../lib/observe/mod.ts";

/** Everything sync reported to its metrics, by name and labels: `attempt success` and so on. */
export class SyncCounts implements SyncGroup {
  readonly #counts = new Map<string, number>();

  /** How often (or how much) something was reported; 0 when never. */
  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Sum over all names with this beginning. */
  total(prefix: string): number {
    return [...this.#counts].reduce((sum, [name, count]) => name.startsWith(prefix) ? sum + count : sum, 0);
  }

  attempt(relay: string, result: string): void {
    this.#add(`attempt ${result}`);
    this.#add(`attempt ${result} ${relay}`);
  }
  synced(): void {
    this.#add("synced");
  }
  processed(result: string): void {
    this.#add(`processed ${result}`);
  }
  batch(method: string, result: string): void {
    this.#add(`batch ${method} ${result}`);
  }
  negentropy(result: string): void {
    this.#add(`negentropy ${result}`);
  }
  redundantIds(count: number): void {
    this.#add("redundant ids", count);
  }
  historicDuration(): void {
    this.#add("historic");
  }
  stalledSubscription(): void {
    this.#add("stalled");
  }
  consolidation(result: string): void {
    this.#add(`consolidation ${result}`);
  }
  droppedFrame(reason: string): void {
    this.#add(`dropped ${reason}`);
  }
  dailySync(): void {
    this.#add("daily");
  }

  #add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }
}
