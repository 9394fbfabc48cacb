import { addressIdentifier, KIND, type NostrEvent } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import { holdsRepository } from "../purgatory/mod.ts";
import type { RepositoryKey, RetiredRepository, Store } from "../store/mod.ts";

/** Repositories that wait for their events; beyond it they wait for the next start. */
const MAX_QUEUE = 10_000;

/** What {@link BringBack} works with. */
export interface BringBackParts {
  readonly store: Store;
  readonly log: Logger;
  /** Judges an event again; "failed" when it could not be stored. */
  readonly judge: (event: NostrEvent) => Promise<string>;
}

/**
 * Brings back what hung on a repository when it was deleted, withdrawn or expired, once an announcement
 * of it is served again: its issues, patches and all the rest are judged like any other event. It follows
 * the commits of the store and works in the background, one event after the other. What is cut off is
 * done at the next start. What the operator took out of service stays there.
 */
export class BringBack {
  readonly #parts: BringBackParts;
  readonly #stopWatching: () => void;
  readonly #queue = new Map<string, RepositoryKey>();
  #working: Promise<void> | undefined;
  #stopped = false;

  /** Begins to follow the commits of the store. */
  constructor(parts: BringBackParts) {
    this.#parts = parts;
    this.#stopWatching = parts.store.watch((changes, verdicts) =>
      changes.insertEvents?.forEach(({ event }, index) => {
        if (event.kind !== KIND.announcement || verdicts[index] !== "stored") return;
        this.#add({ owner: event.pubkey, identifier: addressIdentifier(event) ?? "" });
      })
    );
  }

  /** Looks at everything that is held, in the background. */
  async resume(): Promise<void> {
    for (const key of await this.#parts.store.heldKeys()) if (key.identifier !== "") this.#add(key);
  }

  /** Resolves when nothing is left to be brought back. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /** Stops following; resolves when the event under way is done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopWatching();
    await this.#working;
  }

  #add({ owner, identifier }: RepositoryKey): void {
    if (this.#stopped || this.#queue.size >= MAX_QUEUE) return;
    this.#queue.set(`${owner}:${identifier}`, { owner, identifier });
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    // The listener that got us here must not do database work.
    await Promise.resolve();
    for (const [name, key] of this.#queue) {
      if (this.#stopped) break;
      this.#queue.delete(name);
      try {
        await this.#bringBack(key);
      } catch (error) {
        const fields = { repo: key.identifier, error: String(error) };
        this.#parts.log.warn("held events of a repository could not be brought back", fields);
      }
    }
    this.#working = undefined;
  }

  async #bringBack(key: RepositoryKey): Promise<void> {
    const { store, log } = this.#parts;
    let count = 0;
    if ((await store.heldKeys(key)).length === 0) return;
    // Earliest first: what hung on the repository most closely left last, with the lowest time.
    for await (const row of store.held(key.owner, key.identifier)) {
      if (row.reason === "operator" || holdsRepository(row)) continue;
      const isDone = await this.#isServed(key) && await this.#judgeAll(row) && await this.#isServed(key);
      if (!isDone) return;
      await store.commit({ removeRetired: [row] });
      count += row.events.length;
    }
    if (count > 0) log.info("held events of a repository judged again", { repo: key.identifier, count });
  }

  async #isServed({ owner, identifier }: RepositoryKey): Promise<boolean> {
    return await this.#parts.store.currentVersion(KIND.announcement, owner, identifier) !== undefined;
  }

  /** False when one could not be stored, or there was no time left. */
  async #judgeAll({ events }: RetiredRepository): Promise<boolean> {
    for (const event of [...events].reverse()) {
      if (this.#stopped || await this.#parts.judge(event) === "failed") return false;
    }
    return true;
  }
}
