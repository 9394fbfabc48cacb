import { type Bound, compareBounds, END, START } from "./bound.ts";
import { ID_SIZE, type ItemSet } from "./item_set.ts";
import { type Range, RangeWriter } from "./message.ts";

/** Room kept for what ends a message that is full. */
const RESERVE = 200;
const MIN_FRAME_LIMIT = 4_096;

/**
 * A message under construction. It covers the space of items from the start up to some bound; what
 * needs no answer is skipped, and adjacent skips become one range, the last of them none at all.
 */
export class Answer {
  readonly #set: ItemSet;
  readonly #fullAbove: number;
  readonly #writer = new RangeWriter();
  /** Where the ranges written end. */
  #written: Bound = START;
  /** Where the ranges written or skipped end. */
  #covered: Bound = START;

  /** `frameLimit` in bytes; 0: none. */
  constructor(set: ItemSet, frameLimit: number) {
    if (frameLimit !== 0 && frameLimit < MIN_FRAME_LIMIT) throw new RangeError("frame limit is too small");
    this.#set = set;
    this.#fullAbove = frameLimit === 0 ? Infinity : frameLimit - RESERVE;
  }

  /** True while it says nothing. */
  get isEmpty(): boolean {
    return this.#writer.length === 1;
  }

  /** True when no further range should be added. */
  get isFull(): boolean {
    return this.#writer.length > this.#fullAbove;
  }

  /** Leaves out everything up to `bound`. */
  skip(bound: Bound): void {
    this.#covered = bound;
  }

  /** Adds ranges that follow what is covered; false, and nothing added, when they do not fit. */
  add(ranges: readonly Range[]): boolean {
    const mark = this.#writer.mark();
    this.#writeSkip();
    for (const range of ranges) this.#writer.write(range);
    if (this.isFull) {
      this.#writer.rewind(mark);
      return false;
    }
    this.#written = this.#covered = ranges.at(-1)?.bound ?? this.#covered;
    return true;
  }

  /** Adds the ids of items `lower` up to `upper`, as many as fit; returns the first index left out. */
  addIds(lower: number, upper: number, bound: Bound): number {
    const room = Math.max(0, Math.floor((this.#fullAbove - this.#writer.length) / ID_SIZE) + 1);
    const end = Math.min(upper, lower + room);
    const reached = end < upper ? this.#set.boundAt(end) : bound;
    this.#writeSkip();
    this.#writer.write({ mode: "ids", bound: reached, ids: this.#set.ids(lower, end) });
    this.#written = this.#covered = reached;
    return end;
  }

  /** Ends a full message with the fingerprint of all items from `lower` on, where it stopped. */
  addRest(lower: number): void {
    if (compareBounds(this.#covered, END) >= 0) return;
    this.#writeSkip();
    const fingerprint = this.#set.fingerprint(lower, this.#set.size);
    this.#writer.write({ mode: "fingerprint", bound: END, fingerprint });
  }

  /** The message, as a view. */
  view(): Uint8Array {
    return this.#writer.view();
  }

  #writeSkip(): void {
    if (compareBounds(this.#written, this.#covered) === 0) return;
    this.#writer.write({ mode: "skip", bound: this.#covered });
    this.#written = this.#covered;
  }
}
