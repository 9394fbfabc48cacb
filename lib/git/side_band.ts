import { withoutHostPaths } from "./host_paths.ts";
import { encodePkt, joinBytes } from "./pkt_line.ts";

/** Side-band numbers: data, progress text, fatal text. */
export const BAND = { data: 1, progress: 2, error: 3 } as const;

/** Longest text line waiting for its end before it is passed on anyway. */
const MAX_LINE_BYTES = 16 * 1024;
const LF = 0x0a;
const CR = 0x0d;

/** Most bytes per packet: 65,520 with `side-band-64k`, 1,000 with plain `side-band`. */
export function bandLimit(capabilities: ReadonlySet<string>): number {
  return capabilities.has("side-band-64k") ? 65_520 : 1_000;
}

/** True when the client asked for any side-band. */
export function wantsSideBand(capabilities: ReadonlySet<string>): boolean {
  return capabilities.has("side-band-64k") || capabilities.has("side-band");
}

/** `bytes` as packets of one band, none longer than `maxPktBytes`. */
export function encodeBand(band: number, bytes: Uint8Array, maxPktBytes: number): Uint8Array {
  const step = maxPktBytes - 5;
  const packets: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; offset += step) {
    packets.push(encodePkt(joinBytes([new Uint8Array([band]), bytes.subarray(offset, offset + step)])));
  }
  return joinBytes(packets);
}

/** The empty data packet that keeps a silent connection alive: `0005` and a 1. */
export function keepAlivePkt(): Uint8Array {
  return encodePkt(new Uint8Array([BAND.data]));
}

/**
 * Removes host paths from git's progress and error texts. Git cuts these texts into packets of 128
 * bytes anywhere, so whole lines are put together first.
 */
export class BandText {
  readonly #known: readonly string[];
  readonly #maxPktBytes: number;
  readonly #pending = new Map<number, Uint8Array>();

  constructor(known: readonly string[], maxPktBytes: number) {
    this.#known = known;
    this.#maxPktBytes = maxPktBytes;
  }

  /** Takes the text of one packet; returns packets with the lines that are complete now. */
  push(band: number, text: Uint8Array): Uint8Array {
    const pending = joinBytes([this.#pending.get(band) ?? new Uint8Array(), text]);
    const end = Math.max(pending.lastIndexOf(LF), pending.lastIndexOf(CR)) + 1;
    const cut = end === 0 && pending.length > MAX_LINE_BYTES ? pending.length : end;
    this.#pending.set(band, pending.slice(cut));
    return this.#clean(band, pending.subarray(0, cut));
  }

  /** Packets with what is still waiting for the end of its line. */
  flush(): Uint8Array {
    const rest = [...this.#pending].map(([band, bytes]) => this.#clean(band, bytes));
    this.#pending.clear();
    return joinBytes(rest);
  }

  #clean(band: number, bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0) return bytes;
    const text = withoutHostPaths(new TextDecoder().decode(bytes), this.#known);
    return encodeBand(band, new TextEncoder().encode(text), this.#maxPktBytes);
  }
}
