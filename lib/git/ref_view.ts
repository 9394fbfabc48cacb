import { Buffer } from "node:buffer";
import { encodePkt, joinBytes, PktBuffer } from "./pkt_line.ts";

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

const HEADER_BYTES = 4;
const LF = 0x0a;
const SPACE = 0x20;
const UNBORN = "unborn";

/** One character per byte, as {@link RefLine} has them. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** A pkt-line of text with one character per byte. */
export function latin1Pkt(text: string): Uint8Array {
  return encodePkt(Buffer.from(text, "latin1"));
}

/**
 * The refs of a repository as git listed them at one moment: HEAD, then all others sorted by name, kept
 * as the bytes of that listing. A line without attributes is the same in every answer, so answers are
 * mostly copies of runs of them. 10,000 refs take less than a megabyte.
 */
export class RefView {
  /** pkt-lines of `ls-refs` with `peel`, `symrefs` and `unborn`. */
  readonly #bytes: Uint8Array;
  /** Where each line begins, and where the last one ends. */
  readonly #starts: Uint32Array;
  /** Indexes of lines with attributes, ascending. */
  readonly #attributed: Uint32Array;

  private constructor(bytes: Uint8Array, starts: readonly number[], attributed: readonly number[]) {
    this.#bytes = bytes;
    this.#starts = Uint32Array.from(starts);
    this.#attributed = Uint32Array.from(attributed);
  }

  /** Reads git's answer to `ls-refs`; undefined when it is none, or not sorted. */
  static parse(answer: Uint8Array): RefView | undefined {
    const packets = new PktBuffer();
    packets.push(answer);
    const starts = [0];
    const attributed: number[] = [];
    let before: Buffer | undefined;
    while (true) {
      const packet = packets.next();
      if (packet === undefined || packet === "malformed" || packet.kind === "special") return undefined;
      if (packet.kind === "flush") break;
      const line = Buffer.from(packet.payload.buffer, packet.payload.byteOffset, packet.payload.length);
      const space = line.indexOf(SPACE);
      const end = nameEnd(line, space + 1);
      if (space < 0 || line.at(-1) !== LF) return undefined;
      const name = line.subarray(space + 1, end);
      const isHead = starts.length === 1 && name.equals(HEAD);
      if (before !== undefined && Buffer.compare(before, name) >= 0) return undefined;
      if (!isHead) before = name;
      if (end < line.length - 1) attributed.push(starts.length - 1);
      starts.push(starts.at(-1)! + HEADER_BYTES + line.length);
    }
    const size = starts.at(-1)!;
    if (size + HEADER_BYTES !== answer.length) return undefined;
    return new RefView(answer.slice(0, size), starts, attributed);
  }

  /** Lines, HEAD included. */
  get count(): number {
    return this.#starts.length - 1;
  }

  /** Bytes held. */
  get size(): number {
    return this.#bytes.length + this.#starts.byteLength + this.#attributed.byteLength;
  }

  /** 1 when the first line is HEAD, and where the refs begin. */
  get refsStart(): 0 | 1 {
    return this.count > 0 && this.#name(0).equals(HEAD) ? 1 : 0;
  }

  /** The line at `index`. */
  line(index: number): RefLine {
    const text = latin1(this.#line(index));
    const [oid = "", name = "", ...attributes] = text.slice(HEADER_BYTES, -1).split(" ");
    const value = (key: string) => attributes.find((one) => one.startsWith(key))?.slice(key.length);
    return {
      oid: oid === UNBORN ? "" : oid,
      name,
      target: value("symref-target:"),
      peeled: value("peeled:"),
    };
  }

  /** The lines from `start` to before `end`; those with attributes as `change` has them, if given. */
  lines(start: number, end: number, change?: (line: RefLine) => Uint8Array): Uint8Array {
    if (!change) return this.#bytes.subarray(this.#starts[start], this.#starts[end]);
    const parts: Uint8Array[] = [];
    let copied = start;
    for (let next = lowerBound(this.#attributed.length, (n) => this.#attributed[n]! >= start);; next++) {
      const index = this.#attributed[next];
      if (index === undefined || index >= end) break;
      parts.push(this.lines(copied, index), change(this.line(index)));
      copied = index + 1;
    }
    return joinBytes([...parts, this.lines(copied, end)]);
  }

  /** First and last plus one of the refs, HEAD apart, whose names begin with `prefix` (one character per byte). */
  range(prefix: string): readonly [start: number, end: number] {
    const bytes = Buffer.from(prefix, "latin1");
    const first = this.refsStart;
    const begin = (index: number) => this.#name(index).subarray(0, bytes.length);
    const bound = (isPast: (name: Buffer) => boolean) =>
      first + lowerBound(this.count - first, (index) => isPast(begin(first + index)));
    return [
      bound((name) => Buffer.compare(name, bytes) >= 0),
      bound((name) => Buffer.compare(name, bytes) > 0),
    ];
  }

  #line(index: number): Buffer {
    const [start, end] = [this.#starts[index]!, this.#starts[index + 1]!];
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start);
  }

  #name(index: number): Buffer {
    const line = this.#line(index);
    const space = line.indexOf(SPACE, HEADER_BYTES);
    return line.subarray(space + 1, nameEnd(line, space + 1));
  }
}

const HEAD = Buffer.from("HEAD");

/** A name ends before its attributes or the end of the line. */
function nameEnd(line: Buffer, start: number): number {
  const space = line.indexOf(SPACE, start);
  return space < 0 ? line.length - 1 : space;
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
