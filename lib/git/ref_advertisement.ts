import { ZERO_OID } from "../nostr/mod.ts";
import { flushPkt, joinBytes } from "./pkt_line.ts";
import { latin1Pkt, type RefLine, type RefView } from "./ref_view.ts";

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
  const versionLine = version === 1 ? latin1Pkt("version 1\n") : new Uint8Array();
  const refs = service === "git-upload-pack"
    ? uploadRefs(view, capabilities.upload)
    : receiveRefs(view, capabilities.receive);
  return joinBytes([versionLine, ...refs, flushPkt()]);
}

function uploadRefs(view: RefView, [before, after]: readonly [string, string]): readonly Uint8Array[] {
  const head = view.refsStart === 1 ? view.line(0) : undefined;
  const hasHead = head !== undefined && head.oid !== "";
  const start = hasHead ? 0 : view.refsStart;
  const symref = hasHead && head.target !== undefined ? ` symref=HEAD:${head.target}` : "";
  return [
    firstLine(view, start, before + symref + after, peeledLine),
    view.lines(Math.min(start + 1, view.count), view.count, withPeeled),
  ];
}

function receiveRefs(view: RefView, capabilities: string): readonly Uint8Array[] {
  const start = view.refsStart;
  return [
    firstLine(view, start, capabilities, () => new Uint8Array()),
    view.lines(Math.min(start + 1, view.count), view.count, plainLine),
  ];
}

function firstLine(
  view: RefView,
  index: number,
  capabilities: string,
  behind: (line: RefLine) => Uint8Array,
): Uint8Array {
  if (index >= view.count) return latin1Pkt(`${ZERO_OID} capabilities^{}\0${capabilities}\n`);
  const line = view.line(index);
  return joinBytes([latin1Pkt(`${line.oid} ${line.name}\0${capabilities}\n`), behind(line)]);
}

function plainLine({ oid, name }: RefLine): Uint8Array {
  return latin1Pkt(`${oid} ${name}\n`);
}

function peeledLine({ name, peeled }: RefLine): Uint8Array {
  return peeled === undefined ? new Uint8Array() : latin1Pkt(`${peeled} ${name}^{}\n`);
}

function withPeeled(line: RefLine): Uint8Array {
  return joinBytes([plainLine(line), peeledLine(line)]);
}
