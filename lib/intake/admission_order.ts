import { KIND, kindClass, parseEvent } from "../nostr/mod.ts";
import { relatedKeys } from "../store/mod.ts";

/** Kinds whose judgement reads or changes more than who is related to whom. */
const ALONE: ReadonlySet<number> = new Set([KIND.deletion, KIND.pullRequest, KIND.pullRequestUpdate]);
/** An event with more tags is judged alone: its keys are not worth keeping. */
const MAX_TAGS = 200;

/** What decides whether two events may be judged at the same time. */
interface Links {
  /** What this event makes related once it is stored. */
  readonly opens: readonly string[];
  /** What would make this event related, or known already. */
  readonly waits: readonly string[];
}

/**
 * The order of one sender's events. Each is judged as if those before it had been answered: events
 * that have nothing to do with each other are judged at the same time, which lets them share a
 * transaction and a batch of signatures; one that an earlier one could make related waits for that one;
 * and what changes more than relations (announcements, states, pull requests, deletions, every
 * replaceable kind) waits for all before it, and all after it wait for it.
 */
export class AdmissionOrder {
  readonly #underWay = new Set<Promise<unknown>>();
  /** Who is under way, by the keys it opens. */
  readonly #openers = new Map<string, Set<Promise<unknown>>>();
  /** The last event that was judged alone, while it is. */
  #alone: Promise<unknown> | undefined;

  /** Calls `admit` (which must not reject) for the untrusted `value` as soon as its turn has come. */
  run<T>(value: unknown, admit: () => Promise<T>): Promise<T> {
    const links = linksOf(value);
    const before = links ? this.#openersOf(links) : [...this.#underWay];
    const work = before.length === 0 ? admit() : Promise.all(before).then(admit);
    this.#underWay.add(work);
    for (const key of links?.opens ?? []) {
      const openers = this.#openers.get(key);
      if (openers) openers.add(work);
      else this.#openers.set(key, new Set([work]));
    }
    if (!links) this.#alone = work;
    void work.finally(() => this.#ended(work, links));
    return work;
  }

  #openersOf({ waits }: Links): Promise<unknown>[] {
    const before = new Set<Promise<unknown>>(this.#alone ? [this.#alone] : []);
    for (const key of waits) for (const opener of this.#openers.get(key) ?? []) before.add(opener);
    return [...before];
  }

  #ended(work: Promise<unknown>, links: Links | undefined): void {
    this.#underWay.delete(work);
    if (this.#alone === work) this.#alone = undefined;
    for (const key of links?.opens ?? []) {
      const openers = this.#openers.get(key);
      openers?.delete(work);
      if (openers?.size === 0) this.#openers.delete(key);
    }
  }
}

/** Undefined for an event that is judged alone. What is malformed has no links: it is refused whatever else is known. */
function linksOf(value: unknown): Links | undefined {
  const parsed = parseEvent(value);
  if (!parsed.ok) return { opens: [], waits: [] };
  const { event } = parsed;
  if (kindClass(event.kind) !== "regular" || ALONE.has(event.kind) || event.tags.length > MAX_TAGS) {
    return undefined;
  }
  const { waits, opens } = relatedKeys(event);
  // A second copy of an event under way must be told that it is a duplicate.
  return { opens, waits: [...waits, event.id] };
}
