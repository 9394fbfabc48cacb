import type { Packet } from "./pkt_line.ts";
import { lineIn, RequestPackets, type RequestStage, TakenBytes } from "./request_packets.ts";
import type { BodyReader } from "./received_body.ts";

/** A request for a pack, as far as its answer depends on it. */
export interface FetchRequest {
  /** Object ids asked for: 40 lower-case hex digits, at least one. */
  readonly wants: readonly string[];
  /** True when the client has nothing yet. */
  readonly isClone: boolean;
  /** Equal for requests with equal answers; one character per byte. */
  readonly lines: readonly string[];
}

/** Larger requests are left to git: 20,000 wants fit. */
const MAX_REQUEST_BYTES = 1 << 20;
/** What any request may take without {@link RequestRoom}: some 1,300 objects. */
const SMALL_REQUEST_BYTES = 64 << 10;
/** Between two sections of {@link FetchRequest.lines}; no line can be equal. */
const SECTION = "\n";
/** What clients say about themselves; git only logs it. */
const PERSONAL = /^(agent|session-id)=/;
const WANT = /^want ([0-9a-f]{40})$/;
/** The want that carries the capabilities in versions 0 and 1. */
const FIRST_WANT = /^(want [0-9a-f]{40}) (.*)$/;

/** What git does not refuse for how it is said. */
const PLAIN = new RegExp(
  "^((want|have) [0-9a-f]{40}|done|thin-pack|no-progress|include-tag|ofs-delta|deepen [1-9][0-9]{0,8}" +
    "|command=fetch|object-format=sha1)$",
);
/** In the capabilities of versions 0 and 1, of which git passes over others that it does not know. */
const OTHER_FORMAT = /(^| )object-format=(?!sha1( |$))/;

/** True when git answers `request` with what is asked for, unless something is wrong with the repository. */
export function isPlain({ lines: [first, ...others] }: FetchRequest): boolean {
  const isSaidWell = (line: string) => line === SECTION || PLAIN.test(line);
  return first !== undefined && !OTHER_FORMAT.test(first) && others.every(isSaidWell);
}

/**
 * Reads a request as its bytes come in and understands those that lead to a whole pack in a side-band.
 * Whatever else comes is {@link isOther}: only git can answer it.
 */
class FetchRequestReader {
  readonly #version: 0 | 2;
  readonly #packets = new RequestPackets(MAX_REQUEST_BYTES, (packet) => this.#take(packet));
  readonly #lines: string[] = [];
  readonly #wants: string[] = [];
  #part: "capabilities" | "arguments" | "negotiation";
  #isClone = true;
  #isDone = false;

  constructor(version: 0 | 2) {
    this.#version = version;
    this.#part = version === 2 ? "capabilities" : "arguments";
  }

  get isOther(): boolean {
    return this.#packets.isOther;
  }

  push(chunk: Uint8Array): void {
    this.#packets.push(chunk);
  }

  /** The request, once the whole body has been taken. */
  get request(): FetchRequest | undefined {
    // Version 2 may send a pack as soon as it knows what the client has; before, only `done` brings one.
    const bringsPack = this.#isDone || (this.#version === 2 && !this.#isClone);
    if (!this.#packets.isWhole || !bringsPack || this.#wants.length === 0) return undefined;
    return { wants: this.#wants, isClone: this.#isClone, lines: this.#lines };
  }

  #take(packet: Packet): RequestStage {
    if (packet.kind !== "data") return this.#section(packet);
    const line = lineIn(packet);
    if (line === SECTION || line.includes("\0")) return "other";
    return this.#part === "capabilities" ? this.#takeCapability(line) : this.#takeArgument(line);
  }

  #section(packet: Packet): RequestStage {
    this.#lines.push(SECTION);
    const isFlush = packet.kind === "flush";
    const isDelimiter = packet.kind === "special" && packet.length === 1;
    if (this.#part === "capabilities") {
      if (!isDelimiter || this.#lines[0] !== "command=fetch") return "other";
      this.#part = "arguments";
      return "open";
    }
    if (!isFlush) return "other";
    if (this.#version === 2) return "whole";
    this.#part = "negotiation";
    return "open";
  }

  #takeCapability(line: string): RequestStage {
    if (!PERSONAL.test(line)) this.#lines.push(line);
    return "open";
  }

  #takeArgument(raw: string): RequestStage {
    const line = this.#version === 0 && this.#wants.length === 0 ? this.#withoutCapabilities(raw) : raw;
    const want = line && WANT.exec(line)?.[1];
    if (line === undefined || (!want && line.startsWith("want"))) return "other"; // by name, or malformed
    if (want) this.#wants.push(want);
    if (line.startsWith("have ") || line.startsWith("shallow ")) this.#isClone = false;
    this.#lines.push(line);
    if (line !== "done") return "open";
    this.#isDone = true;
    return this.#version === 0 ? "whole" : "open";
  }

  /** The first want of versions 0 and 1; undefined without a side-band: nothing tells where a pack ends then. */
  #withoutCapabilities(line: string): string | undefined {
    const [, want, text] = FIRST_WANT.exec(line) ?? [];
    const capabilities = (text ?? "").split(" ").filter((word) => word !== "" && !PERSONAL.test(word));
    if (!capabilities.some((word) => word.startsWith("side-band"))) return undefined;
    this.#lines.push(capabilities.join(" "));
    return want;
  }
}

/** What came of {@link readFetchRequest}: always all bytes taken from the body. */
export interface FetchRequestRead {
  readonly bytes: Uint8Array;
  /** Undefined when only git can answer; the body may go on then. */
  readonly request: FetchRequest | undefined;
}

/** Bounds what large requests take together while they are read, however many clients send them slowly. */
export class RequestRoom {
  #free: number;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** False when there is no room for `bytes` more. */
  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#free += bytes;
  }
}

/**
 * Reads a body that begins with `head` as far as it may be a request for a whole pack. Versions 0 and 1
 * ask alike. A large one for which `room` has none is left to git. Rejects as the body does.
 */
export async function readFetchRequest(
  version: 0 | 1 | 2,
  head: Uint8Array,
  body: BodyReader,
  room: RequestRoom,
): Promise<FetchRequestRead> {
  const reader = new FetchRequestReader(version === 2 ? 2 : 0);
  const held = new TakenBytes();
  let [size, taken] = [0, 0];
  try {
    for (let chunk: Uint8Array | undefined = head; chunk !== undefined;) {
      held.add(chunk);
      size += chunk.length;
      const more = Math.max(size - SMALL_REQUEST_BYTES - taken, 0);
      if (!room.take(more)) return { bytes: held.bytes, request: undefined };
      taken += more;
      reader.push(chunk);
      if (reader.isOther) break;
      chunk = (await body.read(chunk === head ? undefined : chunk)).value;
    }
  } finally {
    room.give(taken);
  }
  return { bytes: held.bytes, request: reader.request };
}
