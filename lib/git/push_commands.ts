import { isOid, isValidRefName, ZERO_OID } from "../nostr/mod.ts";
import type { RefCommand } from "../policy/mod.ts";
import { encodePkt, flushPkt, joinBytes, PktReader } from "./pkt_line.ts";
import type { BodyReader } from "./received_body.ts";

export type { RefCommand };

/** A push whose command section was read; the pack, if any, follows `rest` in the same stream. */
export interface ParsedPush {
  readonly kind: "push";
  readonly commands: readonly RefCommand[];
  /** Capabilities as sent, e.g. `side-band-64k`, `agent=git/2.39.5`. */
  readonly capabilities: ReadonlySet<string>;
  /** Object ids of the client's `shallow` lines. */
  readonly shallow: readonly string[];
  /** Bytes already read behind the command section. */
  readonly rest: Uint8Array;
}

/** What the head of a receive-pack request turned out to be (git-http 2.1). */
export type PushRequest =
  | ParsedPush
  /** Exactly `0000`: the client only asks whether a large upload would be let in. */
  | { readonly kind: "probe" }
  | { readonly kind: "empty-body" }
  /** Not pkt-lines, or too much: answered with an HTTP status. */
  | { readonly kind: "malformed"; readonly status: 400 | 413; readonly text: string }
  /** Pkt-lines, but not a push we take: answered like a refused push. */
  | {
    readonly kind: "refused";
    readonly text: string;
    readonly commands: readonly RefCommand[];
    readonly capabilities: ReadonlySet<string>;
  };

/** Most bytes and commands in the command section. */
const MAX_SECTION_BYTES = 1 << 20;
const MAX_COMMANDS = 10_000;

/** Capabilities handed on to git; whatever else a client names has no effect. */
const FORWARDED =
  /^(report-status|report-status-v2|side-band|side-band-64k|atomic|push-options|quiet|ofs-delta|delete-refs|object-format=sha1)$/;

/** True for a deletion of what is already gone, as libgit2 sends it (interop 4.2). */
export function isBothZero(command: RefCommand): boolean {
  return command.oldOid === ZERO_OID && command.newOid === ZERO_OID;
}

/**
 * Reads the command section of a push from the head of the body. Stops behind its flush, so the pack
 * stays in the stream. Rejects as the stream does.
 */
export async function parsePushCommands(
  reader: BodyReader,
): Promise<PushRequest> {
  const packets = new PktReader(reader, MAX_SECTION_BYTES);
  const section = new Section();
  while (true) {
    const packet = await packets.next();
    switch (packet.kind) {
      case "data": {
        const problem = section.add(packet.payload);
        if (problem) return section.refuse(problem);
        if (section.commands.length > MAX_COMMANDS) return malformed(413, "too many ref updates in one push");
        break;
      }
      case "flush":
        return await afterFlush(section, packets, reader);
      case "too-large":
        return malformed(413, "the command list of the push is too long");
      case "end":
        if (packets.received === 0) return { kind: "empty-body" };
        return malformed(400, "the command list of the push has no end");
      default:
        return malformed(400, "the push is not a sequence of pkt-lines");
    }
  }
}

/** The command section git gets: exactly `commands`, and only capabilities we know. */
export function encodePushCommands(push: ParsedPush, commands: readonly RefCommand[]): Uint8Array {
  const capabilities = [...push.capabilities].filter((name) => FORWARDED.test(name)).join(" ");
  return joinBytes([
    ...push.shallow.map((oid) => encodePkt(`shallow ${oid}\n`)),
    ...commands.map(({ oldOid, newOid, ref }, index) =>
      encodePkt(`${oldOid} ${newOid} ${ref}${index === 0 ? `\0 ${capabilities}` : ""}\n`)
    ),
    flushPkt(),
  ]);
}

function malformed(status: 400 | 413, text: string): PushRequest {
  return { kind: "malformed", status, text };
}

async function afterFlush(
  section: Section,
  packets: PktReader,
  reader: BodyReader,
): Promise<PushRequest> {
  const { commands, capabilities, shallow } = section;
  const rest = packets.takeRest();
  if (commands.length > 0) return { kind: "push", commands, capabilities, shallow, rest };
  if (shallow.length === 0 && rest.length === 0 && await isAtEnd(reader)) return { kind: "probe" };
  return section.refuse("no ref updates found in push");
}

async function isAtEnd(reader: BodyReader): Promise<boolean> {
  while (true) {
    const { done, value } = await reader.read();
    if (done) return true;
    if (value.length > 0) return false;
  }
}

/** Collects the lines of a command section; the first problem ends it. */
class Section {
  readonly commands: RefCommand[] = [];
  readonly shallow: string[] = [];
  capabilities: ReadonlySet<string> = new Set();
  readonly #names = new Set<string>();
  #isOtherFormat = false;

  refuse(text: string): PushRequest {
    return { kind: "refused", text, commands: this.commands, capabilities: this.capabilities };
  }

  /** Takes one line, or says why the whole push is refused. */
  add(payload: Uint8Array): string | undefined {
    const nul = payload.indexOf(0);
    const line = decodeUtf8(nul < 0 ? payload : payload.subarray(0, nul))?.replace(/\n$/, "");
    if (line === undefined) return "a ref name in the push is not valid UTF-8";
    if (nul >= 0) {
      if (this.commands.length > 0) return "malformed ref update in push";
      this.capabilities = parseCapabilities(payload.subarray(nul + 1));
      // Looked for once: a stranger can name thousands of capabilities and thousands of refs.
      const format = [...this.capabilities].find((name) => name.startsWith("object-format="));
      this.#isOtherFormat = format !== undefined && format !== "object-format=sha1";
    }
    if (line.startsWith("push-cert")) return "signed pushes are not accepted";
    if (line.startsWith("shallow ") && nul < 0) return this.#addShallow(line.slice("shallow ".length));
    return this.#addCommand(line);
  }

  #addShallow(value: string): string | undefined {
    const oid = value.toLowerCase();
    if (this.commands.length > 0 || !isOid(oid)) return "malformed shallow line in push";
    this.shallow.push(oid);
  }

  #addCommand(line: string): string | undefined {
    const match = /^([0-9a-fA-F]{40}) ([0-9a-fA-F]{40}) ([\s\S]+)$/.exec(line);
    if (!match) return "malformed ref update in push";
    const command = { oldOid: match[1]!.toLowerCase(), newOid: match[2]!.toLowerCase(), ref: match[3]! };
    this.commands.push(command);
    if (this.#isOtherFormat) return "only the sha1 object format is accepted";
    if (!isValidRefName(command.ref)) {
      return /^[A-Z_]+$/.test(command.ref)
        ? "only refs/heads, refs/tags and refs/nostr are accepted"
        : "invalid ref name in push";
    }
    if (this.#names.has(command.ref)) {
      this.commands.pop(); // the report names each ref once
      return "the push names a ref twice";
    }
    this.#names.add(command.ref);
  }
}

function parseCapabilities(bytes: Uint8Array): ReadonlySet<string> {
  const text = new TextDecoder().decode(bytes);
  return new Set(text.split(/[ \n\0]/).filter((name) => name !== ""));
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
