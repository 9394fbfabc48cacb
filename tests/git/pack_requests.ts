import { encodePkt, flushPkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { commitFile, git, newWorkTree } from "../support/git_client.ts";
import type { Service } from "./service.ts";

/** A repository of a {@link Service} with `main`. */
export interface Filled {
  readonly url: string;
  /** The work tree it was pushed from. */
  readonly tree: string;
  readonly tip: string;
}

/** Creates a repository with three commits, the last of them with `bytes` random bytes. */
export async function filled(service: Service, identifier: string, bytes = 0): Promise<Filled> {
  const url = await service.create(identifier);
  const tree = await newWorkTree(`${service.directory}/tree-${identifier}`, ["one", "two"]);
  await commitFile(tree, "three", noise(bytes));
  await put(service, identifier, tree, "main");
  const path = service.repositories.path(service.ref(identifier));
  await git(service.directory, `--git-dir=${path}`, "symbolic-ref", "HEAD", "refs/heads/main");
  return { url, tree, tip: await git(tree, "rev-parse", "main") };
}

/** Pushes into the directory of a repository, around the server. */
export async function put(service: Service, identifier: string, tree: string, ...specs: string[]) {
  await git(tree, "push", "-q", "-f", service.repositories.path(service.ref(identifier)), ...specs);
}

/** Bytes that do not compress. */
export function noise(bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  for (let offset = 0; offset < bytes; offset += 1 << 16) {
    crypto.getRandomValues(all.subarray(offset, offset + (1 << 16)));
  }
  return all;
}

/** A `fetch` of protocol v2 with `done`. */
export function fetchV2(
  wants: readonly string[],
  lines: readonly string[] = [],
  agent = "git/2",
): Uint8Array {
  return joinBytes([
    encodePkt("command=fetch"),
    encodePkt(`agent=${agent}`),
    encodePkt("object-format=sha1"),
    new TextEncoder().encode("0001"),
    ...["thin-pack", "no-progress", "ofs-delta", ...lines].map((line) => encodePkt(line)),
    ...wants.map((oid) => encodePkt(`want ${oid}\n`)),
    encodePkt("done\n"),
    flushPkt(),
  ]);
}

/** The same with protocol v0. */
export function fetchV0(oid: string, capabilities = "side-band-64k ofs-delta no-progress"): Uint8Array {
  return joinBytes([encodePkt(`want ${oid} ${capabilities}\n`), flushPkt(), encodePkt("done\n")]);
}

/** Sends a request for a pack. */
export function post(
  url: string,
  body: Uint8Array,
  headers: Record<string, string> = { "Git-Protocol": "version=2" },
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${url}/git-upload-pack`, {
    method: "POST",
    body: body as BodyInit,
    headers,
    ...(signal && { signal }),
  });
}

/** Everything of an answer, one character per byte. */
export async function textOf(response: Response): Promise<string> {
  return new TextDecoder("latin1").decode(await response.arrayBuffer());
}

/** The pack in the side-band of an answer to {@link fetchV2}; git cuts it into packets as it likes. */
export function packIn(answer: string): string {
  const parts: string[] = [];
  for (let at = 0; at < answer.length;) {
    const length = Math.max(parseInt(answer.slice(at, at + 4), 16), 4);
    const payload = answer.slice(at + 4, at + length);
    if (payload.startsWith("\x01")) parts.push(payload.slice(1));
    at += length;
  }
  return parts.join("");
}
