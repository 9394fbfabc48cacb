import assert from "node:assert/strict";
import {
  createItemSet,
  type Findings,
  initiate,
  type ItemSet,
  type Malformed,
  reconcile,
  respond,
  type SetItem,
  type Sliced,
} from "../../lib/negentropy/mod.ts";

/** Runs sliced work at once. */
export function finish<T>(work: Sliced<T>): T {
  return stepped(work).value;
}

/** Runs sliced work at once and counts its pauses. */
export function stepped<T>(work: Sliced<T>): { value: T; pauses: number } {
  for (let pauses = 0;; pauses++) {
    const step = work.next();
    if (step.done) return { value: step.value, pauses };
  }
}

/** A set of items in any order. */
export function setOf(items: readonly SetItem[]): ItemSet {
  const byTimeAndId = (a: SetItem, b: SetItem) =>
    a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
  return finish(createItemSet([...items].sort(byTimeAndId)));
}

/** The value, which must not be malformed. */
export function wellFormed<T extends Uint8Array | Findings>(value: T | Malformed): T {
  assert.ok(!("malformed" in value), `malformed: ${JSON.stringify(value)}`);
  return value;
}

/** A reconciliation from start to end. */
export interface Outcome {
  readonly have: readonly string[];
  readonly need: readonly string[];
  readonly rounds: number;
  /** Bytes of the largest message of each side. */
  readonly largest: { readonly initiator: number; readonly responder: number };
}

/** Reconciles two sets in memory; fails when an id is reported twice. */
export function reconcileSets(ours: ItemSet, theirs: ItemSet, limits: readonly [number, number]): Outcome {
  const have: string[] = [];
  const need: string[] = [];
  const largest = { initiator: 0, responder: 0 };
  let rounds = 0;
  for (let message: Uint8Array | undefined = initiate(ours); message; rounds++) {
    assert.ok(rounds < 10_000, "the reconciliation does not end");
    largest.initiator = Math.max(largest.initiator, message.length);
    const reply: Uint8Array = wellFormed(finish(respond(theirs, message, limits[1])));
    largest.responder = Math.max(largest.responder, reply.length);
    const findings: Findings = wellFormed(finish(reconcile(ours, reply, limits[0])));
    have.push(...findings.have);
    need.push(...findings.need);
    message = findings.next;
  }
  assert.equal(new Set(have).size, have.length, "an id was reported twice");
  assert.equal(new Set(need).size, need.length, "an id was reported twice");
  return { have: have.sort(), need: need.sort(), rounds, largest };
}
