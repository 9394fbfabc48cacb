import type { PushDecision, PushGate, PushGrant, RepositoryRef } from "../git/mod.ts";
import { pullRequestIdOf, type State, ZERO_OID } from "../nostr/mod.ts";
import {
  candidateStates,
  type CurationRules,
  decidePush,
  type PushVerdict,
  type RefCommand,
  viewOf,
} from "../policy/mod.ts";
import type { KeyedLock } from "../world/mod.ts";
import { applyEffects } from "./executor.ts";
import { pullRequestLock } from "./lock_keys.ts";
import { announcementPin, pullRequestPin, repositoryPin, statePin } from "./pins.ts";
import { knowledgeOf, placeholdersFull, settlePullRequestRefs } from "./placeholders.ts";
import type { ReleaseParts } from "./ports.ts";
import { release } from "./release.ts";

/** A push that was allowed: what it keeps alive until it is settled or abandoned. */
interface Grant extends PushGrant {
  readonly changesRefs: boolean;
  readonly unpin: () => void;
  /** The push no longer moves refs: from now on a release may clear the repository's dirty mark. */
  readonly unpinRepository: () => void;
}

/** What a push depends on beside its repository. */
export interface PushSurroundings {
  readonly rules: CurationRules;
  /** False when the disk is too full to take a push. */
  hasSpace(): Promise<boolean>;
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

  readonly #surroundings: PushSurroundings;

  constructor(parts: ReleaseParts, locks: KeyedLock, surroundings: PushSurroundings) {
    this.#parts = parts;
    this.#locks = locks;
    this.#surroundings = surroundings;
  }

  /** Decides under the identifier's lock; a fault refuses (nothing is ever allowed by accident). */
  async authorise(
    repository: RepositoryRef,
    commands: readonly RefCommand[],
  ): Promise<PushDecision> {
    try {
      if (!await this.#surroundings.hasSpace()) return refuseAll(commands, STORAGE_FULL);
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
  async settle(grant: PushGrant, applied: readonly RefCommand[]): Promise<void> {
    const { repository, changesRefs, unpin, unpinRepository } = grant as Grant;
    try {
      if (!changesRefs) return;
      const ids = applied.map(({ ref }) => pullRequestIdOf(ref)).filter((id) => id !== undefined);
      const keys = [repository.identifier, ...ids.map(pullRequestLock)];
      await this.#locks.run(keys, () => {
        unpinRepository();
        return this.#settle(repository, applied);
      });
    } finally {
      unpinRepository();
      unpin();
    }
  }

  async #settle(repository: RepositoryRef, applied: readonly RefCommand[]): Promise<void> {
    await settlePullRequestRefs(this.#parts, repository, applied);
    const { identifier, owner } = repository;
    const { aligned } = await release(this.#parts, { identifier, receivedBy: owner, via: "push" });
    if (!aligned.has(owner)) await this.#takeBack(repository, applied);
  }

  /**
   * What authorised the push is gone (deleted while it ran) and no other state declares what it wrote:
   * branches and tags return to their old values, so that refs never stay ahead of every signed state.
   */
  async #takeBack(repository: RepositoryRef, applied: readonly RefCommand[]): Promise<void> {
    const { store, repositories, log } = this.#parts;
    const branches = applied.filter(({ ref }) => /^refs\/(heads|tags)\//.test(ref));
    if (!await repositories.exists(repository)) return;
    const view = viewOf(repository.identifier, await store.readIdentifier(repository.identifier));
    const isDeclared = ({ refs }: State) =>
      branches.every(({ ref, newOid }) => (refs.get(ref) ?? ZERO_OID) === newOid);
    if (branches.length === 0 || candidateStates(view, repository.owner).some(isDeclared)) return;
    const back = branches.map(({ ref, oldOid, newOid }) => ({ ref, oldOid: newOid, newOid: oldOid }));
    const failed = await repositories.changeRefs(repository, back);
    log.warn("push taken back: nothing authorises it any more", {
      repo: repository.identifier,
      failed: failed.length,
    });
  }

  /** The push changed nothing: its pins go, and with them the mark that its refs may have changed. */
  async abandon(grant: PushGrant): Promise<void> {
    const { repository, changesRefs, unpin, unpinRepository } = grant as Grant;
    unpin();
    unpinRepository();
    if (!changesRefs || this.#parts.pins.has(repositoryPin(repository))) return;
    await this.#parts.store.commit({ removeDirty: [repository] });
  }

  async #decide(repository: RepositoryRef, commands: readonly RefCommand[]): Promise<PushDecision> {
    const { store, clock } = this.#parts;
    const { owner, identifier } = repository;
    const view = viewOf(identifier, await store.readIdentifier(identifier));
    const present = await this.#presentBeside(repository, candidateStates(view, owner), commands);
    const pullRequests = await knowledgeOf(this.#parts, commands);
    const verdict = decidePush({
      view,
      owner,
      commands,
      present,
      rules: this.#surroundings.rules,
      pullRequests,
      placeholdersFull: await placeholdersFull(this.#parts, repository, pullRequests),
      now: clock.now(),
    });
    if (verdict.match !== undefined) this.#parts.counters.pushMatched(verdict.match);
    if (!verdict.ok) return verdict;
    const applied = await applyEffects(this.#parts, identifier, verdict.effects);
    if (!applied.ok) return refuseAll(commands, INTERNAL_ERROR);
    if (verdict.changesRefs) {
      // Durable before git may move a ref: a crash between git and database is repaired at start.
      await store.commit({ putDirty: [{ owner, identifier, since: clock.now() }] });
    }
    return { ok: true, grant: this.#grant(repository, verdict) };
  }

  /** Which objects that `states` declare for other refs than those of `commands` are in the repository. */
  async #presentBeside(
    repository: RepositoryRef,
    states: readonly State[],
    commands: readonly RefCommand[],
  ): Promise<ReadonlySet<string>> {
    const { repositories } = this.#parts;
    const pushed = new Set(commands.map(({ ref }) => ref));
    const others = states.flatMap(({ refs }) => [...refs]).filter(([ref]) => !pushed.has(ref));
    if (others.length === 0) return new Set();
    const tips = new Set((await repositories.readRefs(repository)).refs.values());
    const open = others.map(([, oid]) => oid).filter((oid) => !tips.has(oid));
    const found = open.length > 0 ? await repositories.present(repository, open) : new Map();
    return new Set([...tips, ...found.keys()]);
  }

  #grant(repository: RepositoryRef, verdict: PushVerdict & { ok: true }): Grant {
    const { owner, identifier } = repository;
    const keys = [...verdict.pins.states.map(statePin), ...verdict.pins.pullRequests.map(pullRequestPin)];
    if (verdict.pins.announcement) keys.push(announcementPin(owner, identifier));
    const { pins } = this.#parts;
    const unpinRepository = pins.pin([repositoryPin(repository)]);
    return { repository, changesRefs: verdict.changesRefs, unpin: pins.pin(keys), unpinRepository };
  }
}

function refuseAll(commands: readonly RefCommand[], text: string): PushDecision {
  return { ok: false, text, reasons: new Map(commands.map(({ ref }) => [ref, text])) };
}
