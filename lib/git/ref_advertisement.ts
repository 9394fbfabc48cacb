import { Buffer } from "node:buffer";
import { ZERO_OID } from "../nostr/mod.ts";
import { flushPkt } from "./pkt_line.ts";
import { PktWriter } from "./pkt_writer.ts";
import type { RefLine, RefView } from "./ref_view.ts";

/** What git names on the first line of its advertisements, the same for every plain repository. */
export interface AdvertisedCapabilities {
  /** Of upload-pack, in front of and behind ` symref=HEAD:...`, which a repository without HEAD lacks. */
  readonly upload: readonly [before: string, after: string];
  readonly receive: string;
  /** The whole advertisement of upload-pack in protocol 2; it names no refs. */
  readonly version2: Uint8Array;
}

/** The two services of the smart protocol. */
export type Service = "git-upload-pack" | "git-receive-pack";

/**
 * What `git upload-pack --advertise-refs` or `git receive-pack --advertise-refs` prints, without the
 * line that names the service. Without any ref the capabilities are there as well, which upload-pack
 * learnt with git 2.41 (git-http 1.6).
 */
export function advertisementOf(
  view: RefView,
  capabilities: AdvertisedCapabilities,
  service: Service,
  version: 0 | 1 | 2,
): Uint8Array {
  if (service === "git-upload-pack" && version === 2) return capabilities.version2.slice();
  const out = new PktWriter(view.length + 512);
  if (version === 1) out.begin().add(latin1Bytes("version 1\n")).end();
  const isUpload = service === "git-upload-pack";
  const head = isUpload && view.refsStart === 1 ? view.line(0) : undefined;
  const start = head !== undefined && head.oid !== "" ? 0 : view.refsStart;
  const named = isUpload ? uploadCapabilities(capabilities, head) : capabilities.receive;
  if (start === view.count) {
    out.begin().add(latin1Bytes(`${ZERO_OID} capabilities^{}\0${named}\n`)).end();
  } else {
    const { oid, name, peeled } = view.line(start);
    out.begin().add(latin1Bytes(`${oid} ${name}\0${named}\n`)).end();
    if (isUpload && peeled !== undefined) out.begin().add(latin1Bytes(`${peeled} ${name}^{}\n`)).end();
    view.print(out, start + 1, view.count, { symrefs: false, peeled: isUpload ? "line" : undefined });
  }
  return out.add(flushPkt()).take();
}

/** A HEAD without commits is not named, as if it were not there. */
function uploadCapabilities({ upload: [before, after] }: AdvertisedCapabilities, head: RefLine | undefined) {
  const target = head?.oid === "" ? undefined : head?.target;
  return before + (target === undefined ? "" : ` symref=HEAD:${target}`) + after;
}

function latin1Bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
