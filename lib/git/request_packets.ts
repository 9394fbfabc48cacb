import { type Packet, PktBuffer } from "./pkt_line.ts";
import { PktWriter } from "./pkt_writer.ts";
import { latin1 } from "./ref_view.ts";

/** After a packet: more may belong to the request, it is whole, or it is not one to be answered without git. */
export type RequestStage = "open" | "whole" | "other";

/** Cuts a request into packets as its bytes come in; one larger than `maxBytes` is left to git. */
export class RequestPackets {
  readonly #buffer = new PktBuffer();
  readonly #maxBytes: number;
  readonly #take: (packet: Packet) => RequestStage;
  #stage: RequestStage = "open";
  #size = 0;

  /** `take` reads the next packet. */
  constructor(maxBytes: number, take: (packet: Packet) => RequestStage) {
    this.#maxBytes = maxBytes;
    this.#take = take;
  }

  /** Takes the next bytes of the body. */
  push(chunk: Uint8Array): void {
    if (this.isOther || chunk.length === 0) return;
    this.#size += chunk.length;
    this.#stage = this.#size > this.#maxBytes ? "other" : this.#stageAfter(chunk);
  }

  #stageAfter(chunk: Uint8Array): RequestStage {
    let stage = this.#stage;
    if (stage === "whole") return "other";
    this.#buffer.push(chunk);
    for (let packet = this.#buffer.next(); packet !== undefined; packet = this.#buffer.next()) {
      if (packet === "malformed" || stage !== "open") return "other";
      stage = this.#take(packet);
    }
    return stage;
  }

  /** True as soon as only git can answer the request. */
  get isOther(): boolean {
    return this.#stage === "other";
  }

  /** True when what was pushed is a whole request and no byte more. */
  get isWhole(): boolean {
    return this.#stage === "whole" && this.#buffer.takeRest().length === 0;
  }
}

/** The line in a packet, without its newline; one character per byte. */
export function lineIn({ payload }: Packet & { readonly kind: "data" }): string {
  const line = latin1(payload);
  return line.endsWith("\n") ? line.slice(0, -1) : line;
}

/** What was taken from a body: copied together from the second piece on, because few bytes may come in much memory. */
export class TakenBytes {
  #first: Uint8Array | undefined;
  #all: PktWriter | undefined;

  /** Adds `chunk`, which the caller may use again unless it is the first. */
  add(chunk: Uint8Array): void {
    if (this.#first) this.#all = (this.#all ?? new PktWriter(0).add(this.#first)).add(chunk);
    else this.#first = chunk;
  }

  /** All of it. */
  get bytes(): Uint8Array {
    return this.#all?.take() ?? this.#first ?? new Uint8Array();
  }
}
