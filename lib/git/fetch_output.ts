import { encodePacket, joinBytes, type Packet, PktBuffer, pktLength } from "./pkt_line.ts";
import { latin1 } from "./ref_view.ts";
import { BAND, BandText } from "./side_band.ts";

/** How git begins a line that says why it gives up. */
const ERROR = "ERR ";
/** Length and band of a packet in a side-band. */
const BAND_HEADER_BYTES = 5;

/** Removes host paths from the side-band texts inside git's output to a fetch; packs pass unchanged, uncopied. */
export class FetchOutputFilter {
  /** At most one packet, incomplete and not known to be of a pack. */
  readonly #packets = new PktBuffer();
  readonly #text: BandText;
  /** Bytes to come of the packet of a pack that is passing. */
  #passing = 0;
  #isRaw = false;
  #hasPack = false;
  #hasError = false;
  #last: Packet["kind"] | undefined;

  constructor(knownPaths: readonly string[]) {
    // 1,000 bytes fit every client, whichever side-band it asked for.
    this.#text = new BandText(knownPaths, 1_000);
  }

  /** Takes output of git; returns what may be sent now: `chunk` itself when all of it is of a pack. */
  push(chunk: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length) {
      const end = this.#pass(chunk, at);
      if (end - at === chunk.length) return chunk;
      if (end > at) parts.push(chunk.subarray(at, end));
      at = end + this.#hold(chunk.subarray(end), parts);
    }
    return joinBytes(parts);
  }

  /** What is left when git's output has ended. */
  end(): Uint8Array {
    const rest = this.#packets.takeRest();
    if (rest.length > 0) this.#last = undefined;
    return joinBytes([this.#text.flush(), rest]);
  }

  /** True when all output so far is a pack in a side-band, from its beginning to its flush, without complaint. */
  get isWholePack(): boolean {
    return this.#hasPack && !this.#hasError && !this.#isRaw && this.#last === "flush";
  }

  /** Where the part of `chunk` ends that begins at `at` and passes as it is. */
  #pass(chunk: Uint8Array, at: number): number {
    if (this.#isRaw) return chunk.length;
    if (!this.#packets.isEmpty) return at;
    let end = at;
    for (;;) {
      const passing = Math.min(this.#passing, chunk.length - end);
      this.#passing -= passing;
      end += passing;
      if (end + BAND_HEADER_BYTES > chunk.length || chunk[end + 4] !== BAND.data) return end;
      const length = pktLength(chunk, end);
      if (length === undefined || length < BAND_HEADER_BYTES) return end;
      this.#passing = length;
      this.#hasPack = true;
      this.#last = "data";
    }
  }

  /** Takes at most one packet, or a part of it, from the beginning of `bytes`; returns how many bytes of it. */
  #hold(bytes: Uint8Array, parts: Uint8Array[]): number {
    const held = bytes.subarray(0, this.#packets.missing);
    this.#packets.push(held);
    const packet = this.#packets.next();
    if (packet === "malformed") {
      // A pack without side-band follows its NAK as it is.
      this.#isRaw = true;
      parts.push(this.#packets.takeRest());
    } else if (packet) this.#take(packet, parts);
    return held.length;
  }

  #take(packet: Packet, parts: Uint8Array[]): void {
    const band = packet.kind === "data" ? packet.payload[0] : undefined;
    this.#hasPack ||= band === BAND.data;
    this.#hasError ||= band === BAND.error || isError(packet);
    this.#last = packet.kind;
    if (packet.kind === "data" && (band === BAND.progress || band === BAND.error)) {
      parts.push(this.#text.push(band, packet.payload.subarray(1)));
      if (band === BAND.error) parts.push(this.#text.flush());
    } else {
      if (packet.kind !== "data") parts.push(this.#text.flush());
      parts.push(encodePacket(packet));
    }
  }
}

function isError(packet: Packet): boolean {
  return packet.kind === "data" && latin1(packet.payload.subarray(0, ERROR.length)) === ERROR;
}
