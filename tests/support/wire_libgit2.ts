import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { encodePkt, flushPkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import { git } from "./git_client.ts";
import type { Listing, RefUpdate, WireClient } from "./wire_client.ts";
import { exchange } from "./wire_http.ts";

const USER_AGENT = "git/2.0 (libgit2 1.5.1)";
const FETCH_CAPABILITIES = "multi_ack_detailed side-band-64k include-tag thin-pack ofs-delta ";
const PUSH_CAPABILITIES = " report-status side-band-64k";

type Service = "git-upload-pack" | "git-receive-pack";

/**
 * Smart HTTP as libgit2 speaks it, which is what ngit uses: protocol version 0, no `Git-Protocol`
 * header, no compression, pushes always chunked, wants by id.
 */
export const libgit2: WireClient = {
  name: "libgit2",
  list: (_directory, url) => advertisement(url, "git-upload-pack"),
  push,
  fetch: fetchObjects,
};

/** What the server advertises for `service`, checked as strictly as libgit2 does. */
export async function advertisement(url: string, service: Service): Promise<Listing> {
  const { status, contentType, body } = await exchange({
    url: `${url}/info/refs?service=${service}`,
    headers: { "User-Agent": USER_AGENT, Accept: "*/*" },
  });
  strictEqual(status, 200);
  strictEqual(contentType, `application/x-${service}-advertisement`);
  const [announcement, flush, ...lines] = packets(body);
  deepStrictEqual([announcement && text(announcement), flush], [`# service=${service}\n`, undefined]);
  strictEqual(lines.pop(), undefined, "the listing ends with a flush");
  const refs: Record<string, string> = {};
  let capabilities = "";
  for (const [index, line] of lines.entries()) {
    const [ref, more] = text(line!).replace(/\n$/, "").split("\0");
    if (index === 0) capabilities = more ?? "";
    const [oid, name] = [ref!.slice(0, 40), ref!.slice(41)];
    if (name !== "capabilities^{}" && !name.endsWith("^{}")) refs[name] = oid;
  }
  return { refs, head: /symref=HEAD:(\S+)/.exec(capabilities)?.[1], capabilities: capabilities.split(" ") };
}

async function push(work: string, url: string, updates: readonly RefUpdate[]): Promise<string[]> {
  const { refs } = await advertisement(url, "git-receive-pack");
  const commands = updates.map(({ ref, newOid }) => ({ ref, newOid, oldOid: refs[ref] ?? ZERO_OID }));
  return await pushCommands(url, commands, await packFor(work, commands, Object.values(refs)));
}

/** One chunked push of exactly these commands; the report, one line per packet. */
export async function pushCommands(
  url: string,
  commands: readonly (RefUpdate & { readonly oldOid: string })[],
  pack: Uint8Array,
): Promise<string[]> {
  const lines = commands.map(({ oldOid, newOid, ref }, index) =>
    encodePkt(`${oldOid} ${newOid} ${ref}${index === 0 ? `\0${PUSH_CAPABILITIES}` : ""}\n`)
  );
  const answer = await post(url, "git-receive-pack", joinBytes([...lines, flushPkt(), pack]), true);
  const { data } = demultiplexed(answer);
  return packets(data).filter((line) => line !== undefined).map((line) => text(line).trimEnd());
}

/** Everything the commands need that the server does not list; nothing at all for deletions only. */
async function packFor(
  work: string,
  commands: readonly RefUpdate[],
  listed: readonly string[],
): Promise<Uint8Array> {
  const wanted = commands.map(({ newOid }) => newOid).filter((oid) => oid !== ZERO_OID);
  if (wanted.length === 0) return new Uint8Array();
  const known = await git(work, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)");
  const uninteresting = listed.filter((oid) => known.includes(oid)).map((oid) => `^${oid}`);
  const input = [...wanted, ...uninteresting].join("\n") + "\n";
  return await piped(work, ["pack-objects", "--revs", "--stdout", "-q"], new TextEncoder().encode(input));
}

/** Fetches as after a listing: one negotiation round when there is something to offer, then the pack. */
async function fetchObjects(
  directory: string,
  url: string,
  wants: readonly string[],
  haves: readonly string[] = [],
): Promise<void> {
  await advertisement(url, "git-upload-pack");
  const wanted = joinBytes([
    ...wants.map((oid, index) => encodePkt(`want ${oid}${index === 0 ? ` ${FETCH_CAPABILITIES}` : ""}\n`)),
    flushPkt(),
    ...haves.map((oid) => encodePkt(`have ${oid}\n`)),
  ]);
  if (haves.length > 0) {
    const round = await post(url, "git-upload-pack", joinBytes([wanted, flushPkt()]));
    const acks = packets(round).map((line) => line && text(line).trimEnd());
    ok(acks.length > 0 && acks.every((line) => /^(ACK [0-9a-f]{40}( common| ready)?|NAK)$/.test(line ?? "")));
  }
  const answer = await post(url, "git-upload-pack", joinBytes([wanted, encodePkt("done\n")]));
  await piped(directory, ["index-pack", "--stdin", "--fix-thin"], demultiplexed(answer).data);
}

async function post(url: string, service: Service, body: Uint8Array, chunked = false): Promise<Uint8Array> {
  const answer = await exchange({
    url: `${url}/${service}`,
    headers: {
      "User-Agent": USER_AGENT,
      Accept: `application/x-${service}-result`,
      "Content-Type": `application/x-${service}-request`,
    },
    body,
    chunked,
  });
  strictEqual(answer.status, 200, text(answer.body));
  strictEqual(answer.contentType, `application/x-${service}-result`);
  return answer.body;
}

/** The pkt-lines of a complete answer; undefined stands for a flush. */
function packets(bytes: Uint8Array): (Uint8Array | undefined)[] {
  const found: (Uint8Array | undefined)[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = parseInt(text(bytes.subarray(at, at + 4)), 16);
    ok(length === 0 || (length > 4 && at + length <= bytes.length), `bad pkt-line at byte ${at}`);
    found.push(length === 0 ? undefined : bytes.subarray(at + 4, at + length));
    at += Math.max(length, 4);
  }
  return found;
}

/** Splits side-band-64k: band 1 joined, band 2 and lines before the bands as text. Band 3 throws. */
function demultiplexed(answer: Uint8Array): { data: Uint8Array; lines: string[] } {
  const data: Uint8Array[] = [];
  const lines: string[] = [];
  for (const line of packets(answer)) {
    if (line === undefined) continue;
    if (line[0] === 3 || text(line).startsWith("ERR ")) throw new Error(text(line.subarray(1)));
    if (line[0] === 1) data.push(line.subarray(1));
    else lines.push(text(line));
  }
  return { data: joinBytes(data), lines };
}

async function piped(directory: string, args: readonly string[], input: Uint8Array): Promise<Uint8Array> {
  const child = new Deno.Command("git", {
    args: [...args],
    cwd: directory,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A child that failed closes its input: its exit code and message say more than the broken pipe.
  const written = writer.write(input).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  await written;
  strictEqual(code, 0, text(stderr));
  return stdout;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The pack libgit2 sends when nothing is missing: a header that counts no object, and its checksum. */
export async function emptyPack(work: string): Promise<Uint8Array> {
  const pack = await piped(work, ["pack-objects", "--stdout", "-q"], new Uint8Array());
  strictEqual(pack.length, 32);
  return pack;
}
