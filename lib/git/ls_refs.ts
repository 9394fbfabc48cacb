import { encodePkt, flushPkt, joinBytes, type Packet } from "./pkt_line.ts";
import { PktWriter } from "./pkt_writer.ts";
import { latin1, type RefForm, type RefView } from "./ref_view.ts";
import { lineIn, RequestPackets, type RequestStage, TakenBytes } from "./request_packets.ts";
import type { BodyReader } from "./received_body.ts";

/** An `ls-refs` request of protocol v2. Prefixes have one character per byte; none means all refs. */
export interface LsRefsRequest {
  readonly peel: boolean;
  readonly symrefs: boolean;
  readonly unborn: boolean;
  readonly prefixes: readonly string[];
}

/** Everything a {@link RefView} holds. */
export const LIST_ALL: Uint8Array = joinBytes([
  encodePkt("command=ls-refs\n"),
  encodePkt("object-format=sha1"),
  new TextEncoder().encode("0001"),
  ...["peel\n", "symrefs\n", "unborn\n"].map((line) => encodePkt(line)),
  flushPkt(),
]);

/** Larger requests are left to git. */
const MAX_REQUEST_BYTES = 64 << 10;

/**
 * Reads a request as its bytes come in and understands those every git client sends. Whatever else
 * comes is {@link isOther}: git answers it, and knows best how to refuse it.
 */
export class LsRefsReader {
  readonly #packets = new RequestPackets(MAX_REQUEST_BYTES, (packet) => this.#take(packet));
  readonly #prefixes: string[] = [];
  readonly #options = { peel: false, symrefs: false, unborn: false };
  #part: "capabilities" | "arguments" = "capabilities";
  #hasCommand = false;

  /** Takes the next bytes of the body. */
  push(chunk: Uint8Array): void {
    this.#packets.push(chunk);
  }

  /** True as soon as the request is not one to be answered from a view. */
  get isOther(): boolean {
    return this.#packets.isOther;
  }

  /** The request, once the whole body has been taken; undefined when it was cut or is another. */
  get request(): LsRefsRequest | undefined {
    return this.#packets.isWhole ? { ...this.#options, prefixes: this.#prefixes } : undefined;
  }

  #take(packet: Packet): RequestStage {
    if (packet.kind === "flush") return this.#hasCommand ? "whole" : "other";
    const isCapability = this.#part === "capabilities";
    if (packet.kind === "special") {
      this.#part = "arguments";
      return packet.length === 1 && isCapability ? "open" : "other";
    }
    const line = lineIn(packet);
    const isKnown = isCapability ? this.#takeCapability(line) : this.#takeArgument(line);
    return isKnown ? "open" : "other";
  }

  #takeCapability(line: string): boolean {
    if (line === "command=ls-refs") {
      const isFirst = !this.#hasCommand;
      this.#hasCommand = true;
      return isFirst;
    }
    return line === "object-format=sha1" || (line.startsWith("agent=") && !line.includes("\0"));
  }

  #takeArgument(line: string): boolean {
    if (line.includes("\0")) return false;
    if (line.startsWith(PREFIX)) this.#prefixes.push(line.slice(PREFIX.length));
    else if (line === "peel" || line === "symrefs" || line === "unborn") this.#options[line] = true;
    else return false;
    return true;
  }
}

const PREFIX = "ref-prefix ";

/** What came of {@link readLsRefs}: always all bytes taken from the body. */
export interface LsRefsRead {
  readonly bytes: Uint8Array;
  /** Undefined when git has to answer; the body may go on then. */
  readonly request: LsRefsRequest | undefined;
}

/** Most requests that are known by their bytes, and the longest: clients of one version ask in the same words. */
const MAX_KNOWN = 100;
const MAX_KNOWN_BYTES = 1024;
/** Whole requests by their bytes, one character each. */
const known = new Map<string, LsRefsRequest>();

/** Reads a body that begins with `head` as far as it may be an `ls-refs` request. Rejects as the body does. */
export async function readLsRefs(
  head: Uint8Array,
  body: BodyReader,
): Promise<LsRefsRead> {
  const text = head.length <= MAX_KNOWN_BYTES ? latin1(head) : "";
  const before = known.get(text);
  let next = before && (await body.read()).value;
  if (before && next === undefined) return { bytes: head, request: before };
  const reader = new LsRefsReader();
  const taken = new TakenBytes();
  taken.add(head);
  reader.push(head);
  while (!reader.isOther) {
    next ??= (await body.read()).value;
    if (next === undefined) break;
    taken.add(next);
    reader.push(next);
    next = undefined;
  }
  const { bytes } = taken;
  const { request } = reader;
  if (request && bytes === head && text !== "") remember(text, request);
  return { bytes, request };
}

/** At the bound all are forgotten, which costs no more than reading them again. */
function remember(text: string, request: LsRefsRequest): void {
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(text, request);
}

/** The answer git gives to `request`, byte for byte; not to be changed. */
export function answerLsRefs(view: RefView, request: LsRefsRequest): Uint8Array<ArrayBuffer> {
  return view.lastAnswer(request, () => print(view, request));
}

function print(view: RefView, request: LsRefsRequest): Uint8Array<ArrayBuffer> {
  const form: RefForm = { symrefs: request.symrefs, peeled: request.peel ? "attribute" : undefined };
  const ranges = disjoint(request.prefixes).map((prefix) => view.range(prefix)).filter(([a, b]) => a < b);
  const lines = ranges.reduce((sum, [start, end]) => sum + end - start, 1);
  const out = new PktWriter(Math.ceil(lines / Math.max(view.count, 1) * view.length) + 256);
  if (showsHead(view, request)) view.print(out, 0, 1, form);
  for (const [start, end] of ranges) view.print(out, start, end, form);
  return out.add(flushPkt()).take();
}

function showsHead(view: RefView, { prefixes, unborn, symrefs }: LsRefsRequest): boolean {
  if (view.refsStart === 0) return false;
  if (prefixes.length > 0 && !prefixes.some((prefix) => "HEAD".startsWith(prefix))) return false;
  return !view.isHeadUnborn || (unborn && symrefs);
}

/** Prefixes in order, without those that others contain; the empty one for none. */
function disjoint(prefixes: readonly string[]): readonly string[] {
  if (prefixes.length === 0) return [""];
  const found: string[] = [];
  for (const prefix of [...prefixes].sort((a, b) => a < b ? -1 : a > b ? 1 : 0)) {
    const last = found.at(-1);
    if (last === undefined || !prefix.startsWith(last)) found.push(prefix);
  }
  return found;
}
