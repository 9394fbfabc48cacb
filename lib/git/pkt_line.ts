import type { BodyReader } from "./received_body.ts";

/** Longest pkt-line, header included (gitprotocol-common). */
export const MAX_PKT_BYTES = 65_520;
const HEADER_BYTES = 4;

/** One item of a pkt-line stream: `special` are the lengths 0001 to 0003 of protocol v2. */
export type Packet =
  | { readonly kind: "data"; readonly payload: Uint8Array }
  | { readonly kind: "flush" }
  | { readonly kind: "special"; readonly length: number };

/** The flush packet `0000`. */
export function flushPkt(): Uint8Array {
  return new Uint8Array([0x30, 0x30, 0x30, 0x30]);
}

/** One pkt-line holding `payload`. Throws RangeError above 65,516 bytes. */
export function encodePkt(payload: Uint8Array | string): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const length = bytes.length + HEADER_BYTES;
  if (length > MAX_PKT_BYTES) throw new RangeError("pkt-line payload too long");
  const line = new Uint8Array(length);
  line.set(new TextEncoder().encode(length.toString(16).padStart(HEADER_BYTES, "0")));
  line.set(bytes, HEADER_BYTES);
  return line;
}

/** Any packet as bytes. */
export function encodePacket(packet: Packet): Uint8Array {
  if (packet.kind === "data") return encodePkt(packet.payload);
  if (packet.kind === "flush") return flushPkt();
  return new TextEncoder().encode(packet.length.toString(16).padStart(HEADER_BYTES, "0"));
}

/**
 * The length a pkt-line at `at` says it has, its header included; undefined when there is no header, or no
 * packet may be that long.
 */
export function pktLength(bytes: Uint8Array, at: number): number | undefined {
  let length = 0;
  for (let index = at; index < at + HEADER_BYTES; index++) {
    const digit = hexDigit(bytes[index]);
    if (digit === undefined) return undefined;
    length = length * 16 + digit;
  }
  return length > MAX_PKT_BYTES ? undefined : length;
}

function hexDigit(code = 0): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = (code | 0x20) - 0x61;
  return letter >= 0 && letter < 6 ? 10 + letter : undefined;
}

/** Concatenates byte arrays. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Cuts a byte stream into packets as it arrives. Holds at most one incomplete packet plus what was
 * pushed last; the cost is linear in the bytes pushed, however small the pieces.
 */
export class PktBuffer {
  #data = new Uint8Array(1024);
  #start = 0;
  #end = 0;

  /** Appends bytes. */
  push(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#data.length) this.#makeRoom(chunk.length);
    this.#data.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** True when nothing is held. */
  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  /** How many bytes can be appended without any of a packet after the next one; 0 when that can be taken. */
  get missing(): number {
    const held = this.#end - this.#start;
    if (held < HEADER_BYTES) return HEADER_BYTES - held;
    return Math.max(0, (pktLength(this.#data, this.#start) ?? 0) - held);
  }

  /**
   * Takes the next packet: undefined when more bytes are needed, `malformed` when the bytes are no
   * pkt-line (nothing is taken then).
   */
  next(): Packet | "malformed" | undefined {
    if (this.#end - this.#start < HEADER_BYTES) return undefined;
    const length = pktLength(this.#data, this.#start);
    if (length === undefined) return "malformed";
    if (length < HEADER_BYTES) {
      this.#start += HEADER_BYTES;
      return length === 0 ? { kind: "flush" } : { kind: "special", length };
    }
    if (this.#end - this.#start < length) return undefined;
    const payload = this.#data.slice(this.#start + HEADER_BYTES, this.#start + length);
    this.#start += length;
    return { kind: "data", payload };
  }

  /** Takes everything that is not yet part of a taken packet. */
  takeRest(): Uint8Array {
    const rest = this.#data.slice(this.#start, this.#end);
    this.#start = this.#end = 0;
    return rest;
  }

  #makeRoom(needed: number): void {
    const live = this.#data.subarray(this.#start, this.#end);
    // Doubling as soon as half is in use keeps the number of moves logarithmic per packet.
    const size = Math.max(this.#data.length, 2 * (live.length + needed));
    if (size > this.#data.length) {
      const grown = new Uint8Array(size);
      grown.set(live);
      this.#data = grown;
    } else {
      this.#data.copyWithin(0, this.#start, this.#end);
    }
    this.#end -= this.#start;
    this.#start = 0;
  }
}

/** What {@link PktReader.next} found; `too-large` when the byte limit was passed first. */
export type PktRead = Packet | { readonly kind: "end" | "malformed" | "too-large" };

/** Reads pkt-lines from a stream, never more than `maxBytes` of packets. */
export class PktReader {
  readonly #reader: BodyReader;
  readonly #buffer = new PktBuffer();
  readonly #maxBytes: number;
  #taken = 0;
  #received = 0;
  #copied: Uint8Array | undefined;

  constructor(reader: BodyReader, maxBytes: number) {
    this.#reader = reader;
    this.#maxBytes = maxBytes;
  }

  /** Bytes received from the stream so far. */
  get received(): number {
    return this.#received;
  }

  /** The next packet; `end` only between packets, otherwise the cut is `malformed`. Rejects as the stream does. */
  async next(): Promise<PktRead> {
    while (true) {
      const packet = this.#buffer.next();
      if (packet === "malformed") return { kind: "malformed" };
      if (packet !== undefined) {
        this.#taken += HEADER_BYTES + (packet.kind === "data" ? packet.payload.length : 0);
        return this.#taken > this.#maxBytes ? { kind: "too-large" } : packet;
      }
      const { done, value } = await this.#reader.read(this.#copied);
      this.#copied = value;
      if (done) return { kind: this.#taken === this.#received ? "end" : "malformed" };
      this.#received += value.length;
      this.#buffer.push(value);
    }
  }

  /** Bytes received after the last packet. */
  takeRest(): Uint8Array {
    return this.#buffer.takeRest();
  }
}
