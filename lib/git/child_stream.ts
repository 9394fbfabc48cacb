import type { GitChild, GitExit } from "./git_process.ts";
import { encodePacket, joinBytes, type Packet, PktBuffer } from "./pkt_line.ts";
import { latin1 } from "./ref_view.ts";
import { BAND, BandText } from "./side_band.ts";

/** How git begins a line that says why it gives up. */
const ERROR = "ERR ";

/** Removes host paths from the side-band texts inside git's output to a fetch; packs pass unchanged. */
export class FetchOutputFilter {
  readonly #packets = new PktBuffer();
  readonly #text: BandText;
  #isRaw = false;
  #hasPack = false;
  #hasError = false;
  #last: Packet["kind"] | undefined;

  constructor(knownPaths: readonly string[]) {
    // 1,000 bytes fit every client, whichever side-band it asked for.
    this.#text = new BandText(knownPaths, 1_000);
  }

  /** Takes output of git; returns what may be sent now. */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#isRaw) return chunk;
    this.#packets.push(chunk);
    const parts: Uint8Array[] = [];
    for (let packet = this.#packets.next(); packet !== undefined; packet = this.#packets.next()) {
      if (packet === "malformed") {
        // A pack without side-band follows its NAK as it is.
        this.#isRaw = true;
        parts.push(this.#packets.takeRest());
        break;
      }
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
}

function isError(packet: Packet): boolean {
  return packet.kind === "data" && latin1(packet.payload.subarray(0, ERROR.length)) === ERROR;
}

/** Parts of a streamed answer made from a child's output. */
export interface ChildStreamOptions {
  readonly child: GitChild;
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Sent first. */
  readonly head: Uint8Array;
  readonly filter?: FetchOutputFilter;
  readonly onBytes: (count: number) => void;
  /** Awaited before the answer ends, e.g. until the request body is read. */
  readonly before?: Promise<unknown>;
  /** Called once when the child is gone, with `cut` when the client saw no clean end. */
  readonly onEnd: (exit: GitExit, cut: boolean) => void;
}

/**
 * Streams the rest of a child's output as the client reads it. A killed child breaks the answer off,
 * so that no client takes half a pack for a whole one; a client that leaves ends the child.
 */
export function childStream(options: ChildStreamOptions): ReadableStream<Uint8Array> {
  const { child, reader, filter, onBytes } = options;
  let pending: Uint8Array | undefined = options.head;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const send = (bytes: Uint8Array) => {
        onBytes(bytes.length);
        controller.enqueue(bytes);
      };
      while (true) {
        const chunk: Uint8Array | undefined = pending ?? (await reader.read().catch(() => undefined))?.value;
        pending = undefined;
        if (chunk === undefined) break;
        const bytes = filter ? filter.push(chunk) : chunk;
        if (bytes.length > 0) return send(bytes);
      }
      const exit = await child.ended;
      const rest = filter?.end() ?? new Uint8Array();
      if (rest.length > 0) send(rest);
      await options.before;
      const cut = exit.signal !== undefined;
      options.onEnd(exit, cut);
      if (cut) controller.error(new Error("git was ended"));
      else controller.close();
    },
    async cancel() {
      child.kill();
      await reader.cancel().catch(() => {});
      options.onEnd(await child.ended, true);
    },
  }, { highWaterMark: 0 });
}
