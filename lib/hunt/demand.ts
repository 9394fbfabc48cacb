import { addressIdentifier, KIND } from "../nostr/mod.ts";
import type { Changes, InsertVerdict } from "../store/mod.ts";
import { urlsOf } from "./candidates.ts";
import { readView } from "./look.ts";
import type { HuntParts } from "./ports.ts";
import type { HuntQueue } from "./queue.ts";
import { huntUnits, unitKey } from "./unit.ts";

/** How long a failed look at the database waits before it is repeated, in milliseconds. */
const RETRY_MS = 1_000;

interface Notice {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly atStart: boolean;
}

/**
 * Keeps the queue in step with what waits: told about commits, it reads the identifiers concerned
 * again, one at a time, each once however many commits touched it.
 */
export class DemandWatch {
  readonly #parts: HuntParts;
  readonly #queue: HuntQueue;
  readonly #changed: () => void;
  readonly #signal: AbortSignal;
  /** Identifiers to read, with the moment of the first notice. */
  readonly #notices = new Map<string, Notice>();
  #reading: Promise<void> | undefined;

  /** @param changed called when the queue may have something due earlier */
  constructor(parts: HuntParts, queue: HuntQueue, changed: () => void, signal: AbortSignal) {
    this.#parts = parts;
    this.#queue = queue;
    this.#changed = changed;
    this.#signal = signal;
  }

  /** Everything that waits when the server starts. */
  async atStart(): Promise<void> {
    const { states, pullRequests } = await this.#parts.store.pendingAtStart();
    const identifiers = [
      ...states.map(({ identifier }) => identifier),
      ...pullRequests.flatMap(({ targets }) => targets.map(({ identifier }) => identifier)),
    ];
    for (const identifier of identifiers) this.#notice(identifier, true);
  }

  /** One committed unit of work. */
  committed(changes: Changes, verdicts: readonly InsertVerdict[]): void {
    for (const { identifier, event, source } of changes.putStates ?? []) {
      // The same row again only has another deadline.
      if (this.#queue.sourceOf(identifier, event.id) !== source) this.#notice(identifier);
    }
    for (const { targets, event, source } of changes.putPullRequests ?? []) {
      for (const { identifier } of targets) {
        if (this.#queue.sourceOf(identifier, event.id) !== source) this.#notice(identifier);
      }
    }
    for (const { identifier } of changes.putAnnouncements ?? []) this.#notice(identifier);
    (changes.insertEvents ?? []).forEach(({ event }, index) => {
      if (event.kind !== KIND.announcement || verdicts[index] !== "stored") return;
      this.#notice(addressIdentifier(event) ?? "");
    });
    for (const id of [...changes.removeStates ?? [], ...changes.removePullRequests ?? []]) {
      for (const identifier of this.#queue.identifiersOf(id)) this.#notice(identifier);
    }
  }

  /** Resolves when nothing is left to read. */
  async settled(): Promise<void> {
    await this.#reading;
  }

  #notice(identifier: string, atStart = false): void {
    const known = this.#notices.get(identifier);
    const at = known?.at ?? this.#parts.clock.monotonic();
    this.#notices.set(identifier, { at, atStart: atStart || (known?.atStart ?? false) });
    this.#reading ??= this.#readAll().finally(() => this.#reading = undefined);
  }

  async #readAll(): Promise<void> {
    for (;;) {
      const [first] = this.#notices;
      if (!first || this.#signal.aborted) return;
      const [identifier, notice] = first;
      this.#notices.delete(identifier);
      try {
        await this.#read(identifier, notice);
      } catch (error) {
        this.#parts.log.warn("waiting events could not be read for hunting", {
          repo: identifier,
          error: String(error),
        });
        this.#notices.set(identifier, notice);
        await this.#parts.clock.sleep(RETRY_MS, this.#signal);
      }
    }
  }

  async #read(identifier: string, notice: Notice): Promise<void> {
    const view = await readView(this.#parts, identifier);
    const units = huntUnits(view);
    const urls = new Map(units.map((unit) => {
      const { remote, own } = urlsOf(view, unit, this.#parts.settings);
      return [unitKey(unit), new Set([...remote.map(({ url }) => url), ...own])];
    }));
    this.#queue.update(identifier, { units, urls, ...notice });
    this.#changed();
  }
}
