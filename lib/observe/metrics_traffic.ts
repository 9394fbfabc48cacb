import { encodeNpub } from "../nostr/mod.ts";
import type { Clock } from "../world/mod.ts";
import { amount, labelText } from "./metrics_labels.ts";

/** Names a repository: owner as 64 lower-case hex digits, identifier verbatim. */
export interface TrafficRepository {
  readonly owner: string;
  readonly identifier: string;
  /** A contributor's repository below `/prs/`. */
  readonly space?: "prs";
}

/** Repositories remembered; beyond it the smallest quarter is forgotten. */
const MAX_REPOSITORIES = 10_000;
const REFRESH_MS = 60_000;

/** What one repository has exchanged. */
export interface RepositoryTraffic {
  /** `<npub>/<identifier>`, below `/prs/` with `prs/` before it; bounded as a label value. */
  readonly label: string;
  readonly bytes: number;
}

/**
 * Bytes exchanged per repository since start, and the largest of them. The caller names a repository
 * only once it is known to exist, so that strangers cannot fill the tally with invented names.
 */
export class TrafficTally {
  readonly #count: () => number;
  readonly #clock: Clock;
  readonly #entries = new Map<string, RepositoryTraffic>();
  #top: readonly RepositoryTraffic[] = [];
  #refreshedAt: number | undefined;
  #refreshedFor = 0;

  /** `count` says how many repositories are exported; while it is 0 nothing is added. */
  constructor(count: () => number, clock: Clock) {
    this.#count = count;
    this.#clock = clock;
  }

  /** Repositories remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** Adds traffic in either direction; totals saturate at 2^53 - 1. */
  add(repository: TrafficRepository, bytes: number): void {
    if (this.#count() === 0) return;
    const key = keyOf(repository);
    const known = this.#entries.get(key);
    if (!known && this.#entries.size >= MAX_REPOSITORIES) this.#forgetSmallest();
    const total = Math.min((known?.bytes ?? 0) + amount(bytes), Number.MAX_SAFE_INTEGER);
    this.#entries.set(key, { label: known?.label ?? labelOf(repository), bytes: total });
  }

  /** Forgets a repository that is no longer hosted; its series ends with the next refresh. */
  remove(repository: TrafficRepository): void {
    this.#entries.delete(keyOf(repository));
  }

  /** The largest repositories, ties ordered by label; at most 60 seconds old. */
  top(): readonly RepositoryTraffic[] {
    const now = this.#clock.now();
    const count = this.#count();
    const age = this.#refreshedAt === undefined ? Infinity : now - this.#refreshedAt;
    if (age >= 0 && age < REFRESH_MS && count === this.#refreshedFor) return this.#top;
    this.#refreshedAt = now;
    this.#refreshedFor = count;
    this.#top = [...this.#entries.values()].sort(largestFirst).slice(0, count);
    return this.#top;
  }

  #forgetSmallest(): void {
    const smallestLast = [...this.#entries].sort(([, a], [, b]) => largestFirst(a, b));
    for (const [key] of smallestLast.slice(-MAX_REPOSITORIES / 4)) this.#entries.delete(key);
  }
}

/** Ties are ordered by label. */
function largestFirst(a: RepositoryTraffic, b: RepositoryTraffic): number {
  return b.bytes - a.bytes || (a.label < b.label ? -1 : a.label > b.label ? 1 : 0);
}

function keyOf({ owner, identifier, space }: TrafficRepository): string {
  return `${space ?? ""}${owner}/${identifier}`;
}

function labelOf({ owner, identifier, space }: TrafficRepository): string {
  return labelText(`${space ? `${space}/` : ""}${encodeNpub(owner)}/${identifier}`);
}
