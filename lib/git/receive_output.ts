import { encodePacket, joinBytes, PktBuffer } from "./pkt_line.ts";
import type { PushOutput } from "./push_output.ts";
import { BAND, bandLimit, BandText, encodeBand, keepAlivePkt, wantsSideBand } from "./side_band.ts";

/** Most bytes of a report that are held; git prints a line per command. */
const MAX_REPORT_BYTES = 16 << 20;

/**
 * Reads what receive-pack prints: progress goes to the client at once, the report is held back until
 * the push has been settled, because clients read their own writes (git-http 2.10).
 */
export class ReceiveOutput {
  readonly #output: PushOutput;
  readonly #banded: boolean;
  readonly #maxPktBytes: number;
  readonly #packets = new PktBuffer();
  readonly #text: BandText;
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  #ended = false;

  constructor(output: PushOutput, capabilities: ReadonlySet<string>, knownPaths: readonly string[]) {
    this.#output = output;
    this.#banded = wantsSideBand(capabilities);
    this.#maxPktBytes = bandLimit(capabilities);
    this.#text = new BandText(knownPaths, this.#maxPktBytes);
  }

  /** Takes a piece of output. False when it is no answer of receive-pack: the child should be ended. */
  push(chunk: Uint8Array): boolean {
    if (!this.#banded) return this.#hold(chunk);
    this.#packets.push(chunk);
    for (let packet = this.#packets.next(); packet !== undefined; packet = this.#packets.next()) {
      if (packet === "malformed") return false;
      if (packet.kind === "flush") this.#ended = true;
      if (packet.kind !== "data") continue;
      const band = packet.payload[0];
      if (band === BAND.data && packet.payload.length > 1) {
        if (!this.#hold(packet.payload.subarray(1))) return false;
      } else if (band === BAND.data) this.#output.write(encodePacket(packet));
      else if (band === BAND.progress) {
        this.#output.progress(this.#text.push(band, packet.payload.subarray(1)));
      } else if (band === BAND.error) {
        this.#output.write(
          joinBytes([this.#text.push(band, packet.payload.subarray(1)), this.#text.flush()]),
        );
      } else return false;
    }
    return true;
  }

  /** Sends text still waiting for its line end. */
  flushText(): void {
    this.#output.progress(this.#text.flush());
  }

  /** The report git made, without framing; undefined when it did not get that far. */
  report(): Uint8Array | undefined {
    const report = joinBytes(this.#held);
    const isWhole = this.#banded ? this.#ended : report.length > 0;
    return isWhole ? report : undefined;
  }

  /** Keeps a waiting client patient, if it knows how. */
  keepAlive(): void {
    if (this.#banded) this.#output.write(keepAlivePkt());
  }

  /** Sends a report and the end of the side-band stream. */
  send(report: Uint8Array): void {
    if (!this.#banded) return this.#output.write(report);
    this.#output.write(
      joinBytes([encodeBand(BAND.data, report, this.#maxPktBytes), encodePacket({ kind: "flush" })]),
    );
  }

  #hold(bytes: Uint8Array): boolean {
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_REPORT_BYTES) return false;
    this.#held.push(bytes.slice());
    return true;
  }
}
