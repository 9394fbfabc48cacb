import type { PushDecision, PushGate, PushGrant, RepositoryRef } from "../git/mod.ts";
import {
  isPullRequest,
  type NostrEvent,
  parsePullRequest,
  type PullRequest,
  pullRequestIdOf,
  pullRequestRef,
  ZERO_OID,
} from "../nostr/mod.ts";
import {
  CONTRIBUTION_PREFIX,
  type ContributionKnowledge,
  contributionRefProblems,
  type CurationRules,
  judgeContribution,
  LIMIT,
  operatorRefusal,
  type RefCommand,
  viewOf,
} from "../policy/mod.ts";
import type { Placeholder, RepositoryKey } from "../store/mod.ts";
import type { KeyedLock } from "../world/mod.ts";
import { mirrorContribution, serveContributions, tidyContribution } from "./contributions.ts";
import { pullRequestLock } from "./lock_keys.ts";
import { pullRequestPin, repositoryPin } from "./pins.ts";
import type { ContributionRules, ReleaseParts } from "./ports.ts";
import { clearPullRequestRef } from "./pull_requests.ts";
import type { PushRate } from "./push_rate.ts";

/** Bounds on pushes below `/prs/`. */
export interface ContributionLimits {
  readonly maxRefsPerPush: number;
  /** Largest pack, in bytes; 0 = unlimited. */
  readonly maxPushBytes: number;
}

/** What a push below `/prs/` depends on beside its repository. */
export interface ContributionSurroundings {
  readonly rules: CurationRules;
  readonly limits: ContributionLimits;
  readonly rate: Pick<PushRate, "take">;
  /** False when the disk is too full to take a push. */
  hasSpace(): Promise<boolean>;
}

interface Grant extends PushGrant {
  readonly unpin: () => void;
}

const STORAGE_FULL = "server storage is full";

/**
 * Decides pushes to contributors' repositories (GRASP-06): anyone may offer commits for the event ids
 * of pull requests, and the signed event decides what they are worth. Nothing on disk changes before a
 * push is allowed. Uploads run outside every lock.
 */
export class ContributionGate implements PushGate {
  readonly #parts: ReleaseParts;
  readonly #contributions: ContributionRules;
  readonly #locks: KeyedLock;
  readonly #surroundings: ContributionSurroundings;

  constructor(
    parts: ReleaseParts & { readonly contributions: ContributionRules },
    locks: KeyedLock,
    surroundings: ContributionSurroundings,
  ) {
    this.#parts = parts;
    this.#contributions = parts.contributions;
    this.#locks = locks;
    this.#surroundings = surroundings;
  }

  /** Decides under the identifier's lock and creates the repository; a fault refuses. */
  async authorise(
    repository: RepositoryRef,
    commands: readonly RefCommand[],
    client = "",
  ): Promise<PushDecision> {
    try {
      const refusal = await this.#refuseUnseen(repository, commands, client);
      if (refusal) return refusal;
      return await this.#locks.run([repository.identifier], () => this.#decide(repository, commands));
    } catch (error) {
      this.#parts.log.error("contribution could not be judged", {
        repo: repository.identifier,
        error: String(error),
      });
      return refuseAll(commands, "internal error, try again");
    }
  }

  /** Everything that can be said without looking at events. */
  async #refuseUnseen(
    repository: RepositoryRef,
    commands: readonly RefCommand[],
    client: string,
  ): Promise<PushDecision | undefined> {
    const { rate, limits, rules, hasSpace } = this.#surroundings;
    if (!rate.take(client)) return refuseAll(commands, "too many pushes, try again in a minute");
    const problems = contributionRefProblems(commands, limits.maxRefsPerPush);
    if (problems.size > 0) return refuse(commands, problems);
    const blocked = operatorRefusal(repository, rules);
    if (blocked) return refuseAll(commands, blocked.text);
    const room = this.#contributions.usage.room(repository.owner);
    if ("problem" in room) return refuseAll(commands, room.problem);
    if (await hasSpace()) return undefined;
    return {
      ok: false,
      text: STORAGE_FULL,
      reasons: new Map(commands.map(({ ref }) => [ref, STORAGE_FULL])),
    };
  }

  async #decide(repository: RepositoryRef, commands: readonly RefCommand[]): Promise<PushDecision> {
    const problems = new Map<string, string>();
    const waiting: string[] = [];
    let unclaimed = 0;
    for (const command of commands) {
      const id = pullRequestIdOf(command.ref)!;
      const known = await this.#lookUp(id);
      const problem = judgeContribution(command, known, this.#place(repository));
      if (problem) problems.set(command.ref, problem);
      if (known.type === "waiting") waiting.push(id);
      if (known.type === "unknown") unclaimed++;
    }
    if (problems.size > 0) return refuse(commands, problems);
    if (unclaimed > 0 && await this.#isFull(repository, unclaimed)) {
      return refuseAll(commands, "too many refs are waiting for their events");
    }
    await this.#parts.repositories.ensure(repository);
    const room = this.#contributions.usage.room(repository.owner);
    const most = this.#surroundings.limits.maxPushBytes || Infinity;
    const fits = Math.min(most, "left" in room ? room.left : 1);
    const grant: Grant = {
      repository,
      maxPackBytes: fits === Infinity ? 0 : fits,
      unpin: this.#parts.pins.pin([...waiting.map(pullRequestPin), repositoryPin(repository)]),
    };
    return { ok: true, grant };
  }

  /** Keeps what the events allow, releases what became complete, and lets go of the repository. */
  async settle(grant: PushGrant, applied: readonly RefCommand[]): Promise<void> {
    const { repository, unpin } = grant as Grant;
    const ids = applied.map(({ ref }) => pullRequestIdOf(ref)).filter((id) => id !== undefined);
    try {
      await this.#locks.run([repository.identifier, ...ids.map(pullRequestLock)], async () => {
        for (const command of applied) await this.#settleRef(repository, command);
        await serveContributions(this.#parts, repository, await this.#completed(repository), "push");
        await tidyContribution(this.#parts, repository, 1);
      });
    } finally {
      unpin();
    }
  }

  /** Nothing was pushed: a repository without refs goes. */
  async abandon(grant: PushGrant): Promise<void> {
    const { repository, unpin } = grant as Grant;
    unpin();
    await this.#locks.run([repository.identifier], () => tidyContribution(this.#parts, repository, 1));
  }

  /** A request is over: removes what should have gone while it used the repository. */
  async released(repository: RepositoryRef): Promise<void> {
    if (!this.#contributions.idle.has(repository)) return;
    try {
      await this.#locks.run([repository.identifier], () => tidyContribution(this.#parts, repository));
    } catch (error) {
      this.#parts.log.error("a contributor's repository could not be looked at", { error: String(error) });
    }
  }

  /** The event may have arrived while the commits were uploaded. */
  async #settleRef(repository: RepositoryRef, command: RefCommand): Promise<void> {
    const { repositories } = this.#parts;
    const id = pullRequestIdOf(command.ref);
    if (id === undefined) return;
    const known = await this.#lookUp(id);
    const isCommit =
      (await repositories.present(repository, [command.newOid])).get(command.newOid) === "commit";
    const problem = isCommit
      ? judgeContribution(command, known, this.#place(repository))
      : `${command.ref} is not a commit`;
    if (problem) {
      this.#parts.log.warn("contribution taken back", { repo: repository.identifier, reason: problem });
      await this.#takeBack(repository, id, known);
      return;
    }
    if (known.type === "unknown" || known.type === "placeholder") {
      await this.#keepPlaceholder(repository, id, command.newOid);
    }
    if (known.type === "served") {
      const parsed = parsePullRequest(known.event);
      if (parsed.ok) await mirrorContribution(this.#parts, repository, parsed.pullRequest);
    }
  }

  /** A wrong ref goes. That of an event that is served from here gets its own commit again. */
  async #takeBack(repository: RepositoryRef, id: string, known: ContributionKnowledge): Promise<void> {
    const served = this.#servedHere(known, repository);
    await clearPullRequestRef(this.#parts, repository, id, served?.commit);
    if (served) await mirrorContribution(this.#parts, repository, served);
  }

  /** The served pull request, when it belongs to this repository. */
  #servedHere(known: ContributionKnowledge, repository: RepositoryRef): PullRequest | undefined {
    if (known.type !== "served") return undefined;
    const parsed = parsePullRequest(known.event);
    if (!parsed.ok) return undefined;
    const { pullRequest } = parsed;
    const right = { ref: pullRequestRef(known.event.id), oldOid: ZERO_OID, newOid: pullRequest.commit };
    return judgeContribution(right, known, this.#place(repository)) === undefined ? pullRequest : undefined;
  }

  async #keepPlaceholder(
    { owner, identifier }: RepositoryRef,
    id: string,
    commit: string,
  ): Promise<void> {
    const { store, clock, log } = this.#parts;
    const now = clock.now();
    const existing = await store.placeholder(id);
    const placeholder: Placeholder = {
      id,
      commit,
      scope: { owner, identifier },
      repositories: existing?.repositories ?? [],
      firstEnteredAt: existing?.firstEnteredAt ?? now,
      enteredAt: now,
      deadlineAt: now + this.#contributions.unclaimedMs,
    };
    await store.commit({ putPlaceholders: [placeholder] });
    log.info("contribution held until its event arrives", { event_id: id, repo: identifier });
  }

  /** The submitter's waiting pull requests whose commit is here, and that name this repository. */
  async #completed(repository: RepositoryRef): Promise<PullRequest[]> {
    const { store, repositories } = this.#parts;
    const { identifier } = repository;
    const view = viewOf(identifier, await store.readIdentifier(identifier));
    const own = view.waitingPullRequests.map(({ pullRequest }) => pullRequest).filter((pullRequest) => {
      const { event, commit } = pullRequest;
      const command = { ref: pullRequestRef(event.id), oldOid: ZERO_OID, newOid: commit };
      return judgeContribution(command, { type: "waiting", event }, this.#place(repository)) === undefined;
    });
    const present = own.length === 0
      ? new Map<string, string>()
      : await repositories.present(repository, own.map(({ commit }) => commit));
    return own.filter(({ commit }) => present.get(commit) === "commit");
  }

  async #lookUp(id: string): Promise<ContributionKnowledge> {
    const { store } = this.#parts;
    const [served] = await store.get([id]);
    if (served) return eventKnown(served, "served");
    const waiting = await store.waitingEvent(id);
    if (waiting) return eventKnown(waiting, "waiting");
    const placeholder = await store.placeholder(id);
    return placeholder ? { type: "placeholder", scope: placeholder.scope } : { type: "unknown" };
  }

  /** Pushes below `/prs/` leave room for those to hosted repositories. */
  async #isFull(scope: RepositoryKey, more: number): Promise<boolean> {
    const { store } = this.#parts;
    return await store.placeholdersInScope(scope) + more > LIMIT.placeholdersPerRepository ||
      (await store.waitingCounts()).placeholders + more > LIMIT.contributionPlaceholders;
  }

  #place({ owner, identifier }: RepositoryRef) {
    return { repository: { owner, identifier }, domain: this.#contributions.domain };
  }
}

function eventKnown(event: NostrEvent, type: "served" | "waiting"): ContributionKnowledge {
  return isPullRequest(event.kind) ? { type, event } : { type: "otherKind" };
}

function refuseAll(commands: readonly RefCommand[], text: string): PushDecision {
  return refuse(commands, new Map(commands.map(({ ref }) => [ref, text])));
}

/** Refuses the whole push; `problems` names the refs at fault. */
function refuse(commands: readonly RefCommand[], problems: ReadonlyMap<string, string>): PushDecision {
  const [first] = problems.values();
  const other = "refused because another ref in this push was refused";
  const reasons = commands.map(({ ref }): [string, string] => [
    ref,
    CONTRIBUTION_PREFIX + (problems.get(ref) ?? other),
  ]);
  return { ok: false, text: CONTRIBUTION_PREFIX + first, reasons: new Map(reasons) };
}
