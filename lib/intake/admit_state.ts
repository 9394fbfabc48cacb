import { type NostrEvent, parseState, type State } from "../nostr/mod.ts";
import { decideState, HELD, holdState, type Verdict, viewOf } from "../policy/mod.ts";
import { applyEffects, readDisk } from "../purgatory/mod.ts";
import { type EventSource, waitingSource } from "./ports.ts";
import type { JudgeParts } from "./refused_memory.ts";
import { carryOut, noted, structuralRefusal } from "./verdicts.ts";

/** Judges a state (kind 30618). */
export async function admitState(
  parts: JudgeParts,
  event: NostrEvent,
  source: EventSource,
): Promise<Verdict> {
  const parsed = parseState(event);
  if (!parsed.ok) return noted(parts, event, source, structuralRefusal(parts, event, parsed));
  const { state } = parsed;
  // A refusal is remembered under the lock, before an announcement can overturn it.
  return await parts.locks.run(
    [state.identifier],
    async () => noted(parts, event, source, await judge(parts, state, source)),
  );
}

/** Under the lock of its identifier. */
async function judge(parts: JudgeParts, state: State, source: EventSource): Promise<Verdict> {
  const { store, repositories, clock, rules } = parts;
  const { event, identifier } = state;
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
}
