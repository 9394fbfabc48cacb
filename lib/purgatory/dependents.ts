import { KIND, type NostrEvent } from "../nostr/mod.ts";
import type { Effect } from "../policy/mod.ts";
import type { RetiredRepository } from "../store/mod.ts";
import { hangingOn, type Standing } from "./hanging.ts";
import { holdsRepository, slicesOf } from "./hidden.ts";
import type { ReleaseParts } from "./ports.ts";
import { standingOf } from "./standing.ts";

type Retire = Extract<Effect, { type: "retire" }>;

/**
 * The first of the events that stay served only through a repository that is being retired: they leave
 * in the same transaction. Empty when nothing hangs on it. What blacklists retire has been dealt with.
 */
export async function firstDependents(
  parts: ReleaseParts,
  { owner, reason, events }: Retire,
  effects: readonly Effect[],
): Promise<readonly NostrEvent[]> {
  // Whoever takes a repository elsewhere may stay known here as maintainer of another.
  const staysKnown = effects.some((effect) =>
    effect.type === "serve" && effect.event.kind === KIND.announcement && effect.event.pubkey === owner
  );
  if (reason === "operator" || staysKnown) return [];
  for await (const portion of hangingOn(parts.store, events, standing(parts, events))) {
    for (const slice of slicesOf(portion)) return slice;
  }
  return [];
}

/**
 * Takes out of service what is left of the events that hang on a retired repository, a slice per
 * transaction: some more than `most` of them at once, or all; true when none are left. After a crash
 * anywhere, the rest is found again from the same row. The caller holds the identifier's lock, and no
 * announcement of the repository is served.
 */
export async function hideDependents(
  parts: ReleaseParts,
  row: RetiredRepository,
  most: number,
): Promise<boolean> {
  if (!holdsRepository(row)) return true;
  let times: Set<number> | undefined;
  let time = row.retiredAt;
  let count = 0;
  for await (const portion of hangingOn(parts.store, row.events, standing(parts, row.events))) {
    if (count > most) return false;
    times ??= new Set((await parts.store.heldKeys(row)).map(({ retiredAt }) => retiredAt));
    for (const events of slicesOf(portion)) {
      // Below the repository's own row, and the later the lower: in that order they come back.
      do time--; while (times.has(time));
      await parts.store.commit({
        putRetired: [{ ...row, directory: "", retiredAt: time, events }],
        removeEvents: events.map(({ id }) => id),
      });
      count += events.length;
    }
  }
  return true;
}

function standing(parts: ReleaseParts, leaving: readonly NostrEvent[]): (event: NostrEvent) => Standing {
  const ids = new Set(leaving.map(({ id }) => id));
  return (event) => ids.has(event.id) ? "apart" : standingOf(parts, event, parts.rules);
}
