import { KEEP_REFS, type RefChange, type RepositoryRef, TEMPORARY_REFS } from "../git/mod.ts";
import { ZERO_OID } from "../nostr/mod.ts";
import { HUNT } from "./durations.ts";
import { readView } from "./look.ts";
import type { HuntParts } from "./ports.ts";
import { unitKey } from "./unit.ts";

/** Removes the refs that protect hunted objects once nothing waits for these any more. */
export class Upkeep {
  readonly #parts: HuntParts;
  /** Repositories with keep refs, as far as known. */
  readonly #kept = new Map<string, RepositoryRef>();

  constructor(parts: HuntParts) {
    this.#parts = parts;
  }

  /** A hunt put keep refs there. */
  note(repository: RepositoryRef): void {
    this.#kept.set(unitKey(repository), repository);
  }

  /** After a start: what earlier runs left in any repository. Slowly, nobody waits for it. */
  async afterStart(signal: AbortSignal): Promise<void> {
    const { repositories, clock } = this.#parts;
    for (const repository of await this.#guarded("", () => repositories.list()) ?? []) {
      if (signal.aborted) return;
      await this.#guarded(repository.identifier, () => this.#clean(repository));
      await clock.sleep(HUNT.upkeepPaceMs, signal);
    }
  }

  /** One pass over the repositories that may have keep refs. */
  async run(signal: AbortSignal): Promise<void> {
    for (const repository of [...this.#kept.values()]) {
      if (signal.aborted) return;
      await this.#guarded(repository.identifier, () => this.#clean(repository));
    }
  }

  async #clean(repository: RepositoryRef): Promise<void> {
    const { repositories } = this.#parts;
    const key = unitKey(repository);
    if (!await repositories.exists(repository)) {
      this.#kept.delete(key);
      return;
    }
    this.#kept.set(key, repository);
    if (repositories.uses(repository) > 0) return;
    const done = repositories.use(repository);
    try {
      const { refs } = await repositories.readRefs(repository);
      // Somebody began meanwhile: these may be the refs of a running fetch.
      if (repositories.uses(repository) > 1) return;
      const held = [...refs].filter(([name]) => name.startsWith(KEEP_REFS));
      const wanted = held.length > 0 ? await this.#wanted(repository) : new Set<string>();
      const gone = [
        ...held.filter(([, oid]) => !wanted.has(oid)),
        ...[...refs].filter(([name]) => name.startsWith(TEMPORARY_REFS)),
      ];
      const failed = gone.length > 0 ? await repositories.changeRefs(repository, gone.map(deletion)) : [];
      if (failed.length === 0 && !held.some(([, oid]) => wanted.has(oid))) this.#kept.delete(key);
    } finally {
      done();
    }
  }

  /** Every object some waiting event of the identifier declares, whoever its home is. */
  async #wanted({ identifier }: RepositoryRef): Promise<ReadonlySet<string>> {
    const view = await readView(this.#parts, identifier);
    return new Set([
      ...view.waitingStates.flatMap(({ state }) => [...state.refs.values()]),
      ...view.waitingPullRequests.map(({ pullRequest }) => pullRequest.commit),
    ]);
  }

  async #guarded<T>(identifier: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#parts.log.warn("hunted refs could not be cleaned", { repo: identifier, error: String(error) });
      return undefined;
    }
  }
}

function deletion([ref, oldOid]: [string, string]): RefChange {
  return { ref, oldOid, newOid: ZERO_OID };
}
