import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { PktWriter } from "./pkt_writer.ts";

/** One line of a listing. Text is one character per byte, since names of refs are bytes. */
export interface RefLine {
  /** Empty for a HEAD that points to a branch without commits. */
  readonly oid: string;
  readonly name: string;
  /** What a symbolic ref resolves to in the end. */
  readonly target: string | undefined;
  /** The object a tag, or a tag of tags, leads to. */
  readonly peeled: string | undefined;
}

/** How the attributes of a ref are printed. */
export interface RefForm {
  /** What symbolic refs point to, as ` symref-target:`. */
  readonly symrefs: boolean;
  /** Where tags lead: as ` peeled:`, as a line of its own, or not at all. */
  readonly peeled: "attribute" | "line" | undefined;
}

const HEADER_BYTES = 4;
const OID_DIGITS = 40;
/** Where the name is in a line, but for an unborn HEAD. */
const NAME_START = HEADER_BYTES + OID_DIGITS + 1;
const LF = 0x0a;
const SPACE = 0x20;
const HEAD = "HEAD";
const UNBORN = "unborn";
const SYMREF = " symref-target:";
const PEELED = " peeled:";
const NEWLINE = Uint8Array.of(LF);
const PEELED_NEWLINE = new TextEncoder().encode("^{}\n");

/** One character per byte, as {@link RefLine} has them. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/**
 * The refs of a repository as git listed them at one moment: HEAD, then all others sorted by name, kept
 * as the bytes of that listing. A line without attributes is the same in every answer, so answers are
 * mostly copies of runs of them, and the last one is kept. 10,000 refs take about 1.5 megabytes.
 */
export class RefView {
  /** pkt-lines of `ls-refs` with `peel`, `symrefs` and `unborn`. */
  readonly #bytes: Uint8Array;
  /** Where each line begins, and where the last one ends. */
  readonly #starts: Uint32Array;
  /** Indexes of lines with attributes, ascending. */
  readonly #attributed: Uint32Array;
  /** 1 when the first line is HEAD: where the refs begin. */
  readonly refsStart: 0 | 1;
  #digest: string | undefined;
  /** The last listing that somebody asked for, and how. */
  #last: { readonly request: object; readonly answer: Uint8Array<ArrayBuffer> } | undefined;

  private constructor(bytes: Uint8Array, starts: readonly number[], attributed: readonly number[]) {
    this.#bytes = bytes;
    this.#starts = Uint32Array.from(starts);
    this.#attributed = Uint32Array.from(attributed);
    this.refsStart = this.count > 0 && this.line(0).name === HEAD ? 1 : 0;
  }

  /** Reads git's answer to `ls-refs`; undefined when it is none, or not sorted. */
  static parse(answer: Uint8Array): RefView | undefined {
    const starts = [0];
    const attributed: number[] = [];
    let before: Span | undefined;
    for (let start = 0;;) {
      const length = lengthAt(answer, start);
      if (length === 0 && start + HEADER_BYTES === answer.length) break;
      const end = start + length;
      const name = nameIn(answer, start, end);
      if (end > answer.length || answer[end - 1] !== LF || name === undefined) return undefined;
      const isHead = start === 0 && latin1(answer.subarray(name.start, name.end)) === HEAD;
      if (before && compare(answer, before, name) >= 0) return undefined;
      if (!isHead && name.start !== start + NAME_START) return undefined;
      if (!isHead) before = name;
      if (name.end < end - 1) attributed.push(starts.length - 1);
      starts.push(end);
      start = end;
    }
    return new RefView(answer.slice(0, starts.at(-1)), starts, attributed);
  }

  /** Lines, HEAD included. */
  get count(): number {
    return this.#starts.length - 1;
  }

  /** Bytes of the longest listing. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Bytes held: a listing that is kept is no longer than that of everything. */
  get size(): number {
    return 2 * this.#bytes.length + this.#starts.byteLength + this.#attributed.byteLength;
  }

  /** SHA-256 of all there is, as hex digits: equal for equal refs. */
  get digest(): string {
    return this.#digest ??= createHash("sha256").update(this.#bytes).digest("hex");
  }

  /** A listing as it was made for the same `request` object last time, or by `print`. */
  lastAnswer(request: object, print: () => Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (this.#last?.request !== request) this.#last = { request, answer: print() };
    return this.#last.answer;
  }

  /** True when a ref points to, or a tag leads to, each of `oids`. */
  leadsToAll(oids: Iterable<string>): boolean {
    const open = new Set(oids);
    for (let index = 0; index < this.count && open.size > 0; index++) {
      const start = this.#starts[index]! + HEADER_BYTES;
      open.delete(latin1(this.#bytes.subarray(start, start + OID_DIGITS)));
    }
    for (const index of open.size > 0 ? this.#attributed : []) open.delete(this.line(index).peeled ?? "");
    return open.size === 0;
  }

  /** True when HEAD points to a branch without commits. */
  get isHeadUnborn(): boolean {
    return this.refsStart === 1 && this.#bytes[HEADER_BYTES] === UNBORN.charCodeAt(0);
  }

  /** The line at `index`. */
  line(index: number): RefLine {
    const text = latin1(
      this.#bytes.subarray(this.#starts[index]! + HEADER_BYTES, this.#starts[index + 1]! - 1),
    );
    const [oid = "", name = "", ...attributes] = text.split(" ");
    const value = (key: string) => attributes.find((one) => ` ${one}`.startsWith(key))?.slice(key.length - 1);
    return { oid: oid === UNBORN ? "" : oid, name, target: value(SYMREF), peeled: value(PEELED) };
  }

  /** Prints the lines from `start` to before `end`. */
  print(out: PktWriter, start: number, end: number, form: RefForm): void {
    let copied = start;
    const isWhole = form.symrefs && form.peeled === "attribute";
    const first = lowerBound(this.#attributed.length, (n) => this.#attributed[n]! >= start);
    for (let next = first; !isWhole; next++) {
      const index = this.#attributed[next];
      if (index === undefined || index >= end) break;
      this.#copy(out, copied, index);
      this.#printLine(out, this.#starts[index]!, this.#starts[index + 1]!, form);
      copied = index + 1;
    }
    if (copied < end) this.#copy(out, copied, end);
  }

  /** First and last plus one of the refs, HEAD apart, whose names begin with `prefix` (one character per byte). */
  range(prefix: string): readonly [start: number, end: number] {
    const first = this.refsStart;
    const bound = (isPast: (order: number) => boolean) =>
      first + lowerBound(this.count - first, (index) => isPast(this.#orderOf(first + index, prefix)));
    return [bound((order) => order >= 0), bound((order) => order > 0)];
  }

  /** Below 0 when the name at `index` sorts before `prefix`, 0 when it begins with it. */
  #orderOf(index: number, prefix: string): number {
    const start = this.#starts[index]! + NAME_START;
    for (let offset = 0; offset < prefix.length; offset++) {
      const byte = this.#bytes[start + offset]!;
      if (byte === SPACE || byte === LF) return -1; // the end of the name, which has neither
      if (byte !== prefix.charCodeAt(offset)) return byte - prefix.charCodeAt(offset);
    }
    return 0;
  }

  #copy(out: PktWriter, start: number, end: number): void {
    out.add(this.#bytes, this.#starts[start], this.#starts[end]);
  }

  /** A line with attributes: `<oid> <name>[ symref-target:<name>][ peeled:<oid>]`. */
  #printLine(out: PktWriter, start: number, end: number, { symrefs, peeled }: RefForm): void {
    const bytes = this.#bytes;
    const name = nameIn(bytes, start, end)!;
    const isSymbolic = bytes[name.end + 1] === SYMREF.charCodeAt(1);
    const next = isSymbolic ? spaceIn(bytes, name.end + 1, end) : name.end;
    const isTag = next !== undefined;
    out.begin().add(bytes, start + HEADER_BYTES, name.end);
    if (isSymbolic && symrefs) out.add(bytes, name.end, next ?? end - 1);
    if (isTag && peeled === "attribute") out.add(bytes, next, end - 1);
    out.add(NEWLINE).end();
    if (!isTag || peeled !== "line") return;
    out.begin().add(bytes, next + PEELED.length, end - 1)
      .add(bytes, name.start - 1, name.end)
      .add(PEELED_NEWLINE).end();
  }
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where the name is in the line from `start` to before `end`: behind the object id, before attributes. */
function nameIn(bytes: Uint8Array, start: number, end: number): Span | undefined {
  const space = spaceIn(bytes, start + HEADER_BYTES, end);
  if (space === undefined) return undefined;
  return { start: space + 1, end: spaceIn(bytes, space + 1, end) ?? end - 1 };
}

function spaceIn(bytes: Uint8Array, start: number, end: number): number | undefined {
  const space = bytes.indexOf(SPACE, start);
  return space < 0 || space >= end ? undefined : space;
}

/** Below 0 when the name `a` sorts before `b`. */
function compare(bytes: Uint8Array, a: Span, b: Span): number {
  for (let offset = 0;; offset++) {
    const [left, right] = [a.start + offset, b.start + offset];
    if (left === a.end || right === b.end) return (a.end - a.start) - (b.end - b.start);
    if (bytes[left] !== bytes[right]) return bytes[left]! - bytes[right]!;
  }
}

/** The length in the header of a pkt-line; NaN when there is none. */
function lengthAt(bytes: Uint8Array, start: number): number {
  let length = 0;
  for (let index = start; index < start + HEADER_BYTES; index++) {
    const code = bytes[index] ?? 0;
    const digit = code >= 0x30 && code <= 0x39
      ? code - 0x30
      : code >= 0x61 && code <= 0x66
      ? code - 0x57
      : NaN;
    length = length * 16 + digit;
  }
  return length > 0 && length <= HEADER_BYTES ? NaN : length;
}

/** The first index below `count` for which `isPast` holds; it holds for all behind one. */
function lowerBound(count: number, isPast: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isPast(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
