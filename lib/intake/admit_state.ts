import { type NostrEvent, parseState } from "../nostr/mod.ts";
import { decideState, HELD, holdState, type Verdict, viewOf } from "../policy/mod.ts";
import { applyEffects, readDisk } from "../purgatory/mod.ts";
import { type EventSource, type IntakeParts, waitingSource } from "./ports.ts";
import { carryOut, structuralRefusal } from "./verdicts.ts";

/** Judges a state (kind 30618). */
export async function admitState(
  parts: IntakeParts,
  event: NostrEvent,
  source: EventSource,
): Promise<Verdict> {
  const parsed = parseState(event);
  if (!parsed.ok) return structuralRefusal(parts, event, parsed);
  const { state } = parsed;
  const { identifier } = state;
  const { store, repositories, clock, locks, rules } = parts;
  return await locks.run([identifier], async () => {
    const view = viewOf(identifier, await store.readIdentifier(identifier));
    const alone = { ...view, waitingStates: [], storedStates: [] };
    const { donors } = await readDisk(repositories, alone, state, undefined);
    const input = {
      state,
      source: waitingSource(source),
      view,
      repositoryBlacklist: rules.repositoryBlacklist,
      complete: donors.has(event.id),
      expired: await store.isExpired(event.id),
      waitingInTotal: (await store.waitingCounts()).states,
      now: clock.now(),
    };
    const verdict = await carryOut(parts, event, identifier, decideState(input));
    if (verdict) return verdict;
    // The data is here but no repository could be aligned: the state waits instead of being lost.
    const applied = await applyEffects(parts, identifier, holdState(input));
    return applied.ok ? HELD : applied;
  });
}
