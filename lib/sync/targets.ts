import type { Filter } from "../nostr/mod.ts";
import { filtersOf } from "./filters.ts";
import { type Items, itemSet, type SyncLevel } from "./items.ts";
import type { Status } from "./lifecycle.ts";

/** A repository as derivation reads it. */
export interface WantedRepo {
  readonly level: SyncLevel;
  readonly relays: ReadonlySet<string>;
  readonly rootEvents: ReadonlySet<string>;
}

/** What one relay should deliver. */
export interface Target {
  readonly full: Set<string>;
  readonly stateOnly: Set<string>;
  readonly roots: Set<string>;
}

/** A target without anything in it. */
export function emptyTarget(): Target {
  return { full: new Set(), stateOnly: new Set(), roots: new Set() };
}

/** Turns the view by repository into the view by relay; `isTarget` leaves relays out, ourselves first of all. */
export function deriveTargets(
  repos: ReadonlyMap<string, WantedRepo>,
  isTarget: (url: string) => boolean,
): Map<string, Target> {
  const targets = new Map<string, Target>();
  const judged = new Map<string, boolean>();
  for (const [ref, repo] of repos) {
    for (const url of repo.relays) {
      let isAllowed = judged.get(url);
      if (isAllowed === undefined) judged.set(url, isAllowed = isTarget(url));
      if (!isAllowed) continue;
      let target = targets.get(url);
      if (!target) targets.set(url, target = emptyTarget());
      addTo(target, ref, repo);
    }
  }
  return targets;
}

/** The target of one relay that is known to be allowed. */
export function targetOf(repos: ReadonlyMap<string, WantedRepo>, url: string): Target {
  const target = emptyTarget();
  for (const [ref, repo] of repos) if (repo.relays.has(url)) addTo(target, ref, repo);
  return target;
}

function addTo(target: Target, ref: string, repo: WantedRepo): void {
  if (repo.level === "StateOnly") {
    target.stateOnly.add(ref);
    return;
  }
  target.full.add(ref);
  for (const id of repo.rootEvents) target.roots.add(id);
}

/** What a relay has delivered or is delivering. */
export interface Held {
  /** The highest level pending or confirmed. */
  levelOf(ref: string): SyncLevel | undefined;
  hasRoot(id: string): boolean;
}

/** New work for one relay. */
export interface Action {
  readonly filters: readonly Filter[];
  readonly items: Items;
}

/**
 * Target minus pending minus confirmed; nothing else decides to open new work. Undefined when
 * nothing is new, or when the relay is not to be bothered. An unknown relay (no status) gets one.
 */
export function computeAction(
  target: Target,
  held: Held,
  status: Status | undefined,
  perFilter: number,
): Action | undefined {
  if (status === "Disconnected" || status === "Disconnecting") return undefined;
  const items = itemSet();
  const states: string[] = [];
  const tagged: string[] = [];
  for (const ref of target.full) {
    const level = held.levelOf(ref);
    if (level === "Full") continue;
    items.repos.set(ref, "Full");
    tagged.push(ref);
    // Its states are followed already when it rises from purgatory.
    if (level === undefined) states.push(ref);
  }
  for (const ref of target.stateOnly) {
    if (held.levelOf(ref) !== undefined) continue;
    items.repos.set(ref, "StateOnly");
    states.push(ref);
  }
  for (const id of target.roots) if (!held.hasRoot(id)) items.roots.add(id);
  const filters = filtersOf({ states, tagged, roots: items.roots }, perFilter);
  return filters.length > 0 ? { filters, items } : undefined;
}
