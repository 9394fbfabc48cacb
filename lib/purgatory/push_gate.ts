import type { PushDecision, PushGate, PushGrant, RepositoryRef } from "../git/mod.ts";
import { declaresObjects } from "../nostr/mod.ts";
import { candidateStates, decidePush, type PushVerdict, type RefCommand, viewOf } from "../policy/mod.ts";
import type { KeyedLock } from "../world/mod.ts";
import { applyEffects } from "./executor.ts";
import { announcementPin, type Pins, statePin } from "./pins.ts";
import { release, type ReleaseParts } from "./release.ts";

/** A push that was allowed: what it keeps alive until it is settled or abandoned. */
interface Grant extends PushGrant {
  readonly changesRefs: boolean;
  readonly unpin: () => void;
}

const STORAGE_FULL = "server storage is full";
const INTERNAL_ERROR = "authorisation failed: internal error, try again";

/**
 * Decides pushes by the signed states we know, and releases what a push completed.
 * Uploads run between {@link PushGate.authorise} and {@link PushGate.settle}, outside every lock.
 */
export class StatePushGate implements PushGate {
  readonly #parts: ReleaseParts;
  readonly #locks: KeyedLock;
  readonly #pins: Pins;

  readonly #hasSpace: () => Promise<boolean>;

  /** @param hasSpace false when the disk is too full to take a push */
  constructor(parts: ReleaseParts, locks: KeyedLock, pins: Pins, hasSpace: () => Promise<boolean>) {
    this.#parts = parts;
    this.#locks = locks;
    this.#pins = pins;
    this.#hasSpace = hasSpace;
  }

  /** Decides under the identifier's lock; a fault refuses (nothing is ever allowed by accident). */
  async authorise(
    repository: RepositoryRef,
    commands: readonly RefCommand[],
  ): Promise<PushDecision> {
    try {
      if (!await this.#hasSpace()) return refuseAll(commands, STORAGE_FULL);
      return await this.#locks.run([repository.identifier], () => this.#decide(repository, commands));
    } catch (error) {
      this.#parts.log.error("push could not be judged", {
        repo: repository.identifier,
        error: String(error),
      });
      return refuseAll(commands, INTERNAL_ERROR);
    }
  }

  /** Releases what the push completed, then lets go of its pins. The push report waits for this. */
  async settle(grant: PushGrant): Promise<void> {
    const { repository, changesRefs, unpin } = grant as Grant;
    const { identifier, owner } = repository;
    try {
      if (!changesRefs) return;
      await this.#locks.run([identifier], () => release(this.#parts, { identifier, receivedBy: owner }));
    } finally {
      unpin();
    }
  }

  /** The push changed nothing: its pins go, and with them the mark that its refs may have changed. */
  async abandon(grant: PushGrant): Promise<void> {
    const { repository, changesRefs, unpin } = grant as Grant;
    unpin();
    if (!changesRefs || this.#pins.has(repositoryPin(repository))) return;
    await this.#parts.store.commit({ removeDirty: [repository] });
  }

  async #decide(repository: RepositoryRef, commands: readonly RefCommand[]): Promise<PushDecision> {
    const { store, repositories, clock } = this.#parts;
    const { owner, identifier } = repository;
    const view = viewOf(identifier, await store.readIdentifier(identifier));
    const declared = candidateStates(view, owner).filter(declaresObjects).flatMap((
      state,
    ) => [...state.refs.values()]);
    const present = declared.length === 0
      ? new Set<string>()
      : new Set((await repositories.present(repository, [...new Set(declared)])).keys());
    const verdict = decidePush({ view, owner, commands, present, now: clock.now() });
    if (!verdict.ok) return verdict;
    const applied = await applyEffects(this.#parts, identifier, verdict.effects);
    if (!applied.ok) return refuseAll(commands, INTERNAL_ERROR);
    if (verdict.changesRefs) {
      // Durable before git may move a ref: a crash between git and database is repaired at start.
      await store.commit({ putDirty: [{ owner, identifier, since: clock.now() }] });
    }
    return { ok: true, grant: this.#grant(repository, verdict) };
  }

  #grant(repository: RepositoryRef, verdict: PushVerdict & { ok: true }): Grant {
    const { owner, identifier } = repository;
    const keys = verdict.pins.states.map(statePin);
    if (verdict.pins.announcement) keys.push(announcementPin(owner, identifier));
    const unpin = this.#pins.pin([...keys, repositoryPin(repository)]);
    return { repository, changesRefs: verdict.changesRefs, unpin };
  }
}

/** Pin key of a repository with a running push. */
function repositoryPin({ owner, identifier }: RepositoryRef): string {
  return `repository:${owner}:${identifier}`;
}

function refuseAll(commands: readonly RefCommand[], text: string): PushDecision {
  return { ok: false, text, reasons: new Map(commands.map(({ ref }) => [ref, text])) };
}
