import { Answer } from "./answer.ts";
import { type Bound, END } from "./bound.ts";
import { hexOf, type Malformed } from "./bytes.ts";
import { ID_SIZE, type ItemSet } from "./item_set.ts";
import { RangeReader, VERSION } from "./message.ts";
import { type Sliced, WorkMeter } from "./sliced.ts";
import { BUCKETS, split } from "./split.ts";

/** Largest message this server makes, in bytes; twice as many hex digits travel. */
export const FRAME_LIMIT = 60_000;

/** The answer to a version this server does not know: the highest one it does. */
export const VERSION_MESSAGE: Uint8Array = Uint8Array.of(VERSION);

/** What the initiator learns from one message. Ids are hex, each at most once per message. */
export interface Findings {
  /** What to send next; undefined when the reconciliation is complete. */
  readonly next: Uint8Array | undefined;
  /** Ids only the initiator has. */
  readonly have: readonly string[];
  /** Ids only the responder has. */
  readonly need: readonly string[];
}

/** True for a message of another protocol version (0x60 to 0x6f are versions, NIP-77). */
export function isUnsupportedVersion(message: Uint8Array): boolean {
  const version = message[0];
  return version !== undefined && version !== VERSION && version >> 4 === VERSION >> 4;
}

/** The first message of an initiator. */
export function initiate(set: ItemSet): Uint8Array {
  const answer = new Answer(set, 0);
  answer.add(split(set, 0, set.size, END));
  return answer.view();
}

/** The responder's answer to one message; the set is all the state there is. */
export function* respond(
  set: ItemSet,
  message: Uint8Array,
  frameLimit: number = FRAME_LIMIT,
): Sliced<Uint8Array | Malformed> {
  if (isUnsupportedVersion(message)) return VERSION_MESSAGE;
  const answer = new Answer(set, frameLimit);
  const malformed = yield* walk(set, message, answer, undefined);
  return malformed ?? answer.view();
}

/**
 * What the initiator learns from an answer, and what it asks next. A responder can go on for ever:
 * whoever drives this bounds the number of rounds.
 */
export function* reconcile(
  set: ItemSet,
  message: Uint8Array,
  frameLimit: number = FRAME_LIMIT,
): Sliced<Findings | Malformed> {
  const answer = new Answer(set, frameLimit);
  const comparison = new Comparison(set);
  const malformed = yield* walk(set, message, answer, comparison);
  if (malformed) return malformed;
  const { have, need } = comparison;
  return { next: answer.isEmpty ? undefined : answer.view(), have, need };
}

/** Answers range after range; `comparison` takes the id lists of an initiator. */
function* walk(
  set: ItemSet,
  message: Uint8Array,
  answer: Answer,
  comparison: Comparison | undefined,
): Sliced<Malformed | undefined> {
  if (message.length === 0) return { malformed: "empty" };
  if (message[0] !== VERSION) return { malformed: "version" };
  const ranges = new RangeReader(message.subarray(1));
  const meter = new WorkMeter();
  let lower = 0;
  for (let range = ranges.next(); range; range = ranges.next()) {
    if ("malformed" in range) return range;
    const { bound } = range;
    const upper = set.lowerBound(lower, bound);
    if (range.mode === "skip") answer.skip(bound);
    else if (range.mode === "fingerprint") {
      if (equalBytes(range.fingerprint, set.fingerprint(lower, upper))) answer.skip(bound);
      else if (!addSplit(set, answer, lower, upper, bound, meter)) return undefined;
    } else if (comparison) {
      yield* comparison.compare(lower, upper, range.ids, meter);
      answer.skip(bound);
    } else {
      const end = answer.addIds(lower, upper, bound);
      if (answer.isFull) return answer.addRest(end), undefined;
    }
    lower = upper;
    if (meter.spend(1)) yield;
  }
  return undefined;
}

/** False when the message is full and has been ended. */
function addSplit(
  set: ItemSet,
  answer: Answer,
  lower: number,
  upper: number,
  bound: Bound,
  meter: WorkMeter,
): boolean {
  meter.spend(BUCKETS);
  if (answer.add(split(set, lower, upper, bound))) return true;
  answer.addRest(lower);
  return false;
}

/** The initiator's side of id lists. */
class Comparison {
  readonly have: string[] = [];
  readonly need: string[] = [];
  readonly #set: ItemSet;

  constructor(set: ItemSet) {
    this.#set = set;
  }

  /** Compares our items `lower` (inclusive) to `upper` (exclusive) with the `ids` of the other side. */
  *compare(lower: number, upper: number, ids: Uint8Array, meter: WorkMeter): Sliced<void> {
    const theirs = new Set<string>();
    for (let at = 0; at < ids.length; at += ID_SIZE) {
      theirs.add(hexOf(ids.subarray(at, at + ID_SIZE)));
      if (meter.spend(1)) yield;
    }
    for (let index = lower; index < upper; index++) {
      const id = hexOf(this.#set.ids(index, index + 1));
      if (!theirs.delete(id)) this.have.push(id);
      if (meter.spend(1)) yield;
    }
    for (const id of theirs) {
      this.need.push(id);
      if (meter.spend(1)) yield;
    }
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
