import { Buffer } from "node:buffer";
import { LIST_ALL } from "../../lib/git/ls_refs.ts";
import { encodePkt, flushPkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { encodeIdentifier, encodeNpub } from "../../lib/nostr/mod.ts";
import { OWNER, type Service } from "./service.ts";

/** The body of an `ls-refs` request. */
export interface LsRefsQuestion {
  readonly lsRefs: Uint8Array;
}

/** What a client can ask in order to discover refs. */
export type Question =
  | { readonly service: "git-upload-pack" | "git-receive-pack"; readonly protocol: string }
  | LsRefsQuestion;

/** Every advertisement git knows. */
export const ADVERTISEMENTS: readonly Question[] = [
  { service: "git-upload-pack", protocol: "version=0" },
  { service: "git-upload-pack", protocol: "version=1" },
  { service: "git-upload-pack", protocol: "version=2" },
  { service: "git-receive-pack", protocol: "version=0" },
  { service: "git-receive-pack", protocol: "version=1" },
];

/** A listing of everything. */
export const ALL_REFS: Question = { lsRefs: LIST_ALL };

/** An `ls-refs` request with these arguments. */
export function lsRefs(...args: readonly string[]): LsRefsQuestion {
  return {
    lsRefs: joinBytes([
      encodePkt("command=ls-refs\n"),
      encodePkt("agent=git/2.39.5"),
      encodePkt("object-format=sha1"),
      new TextEncoder().encode("0001"),
      ...args.map((arg) => encodePkt(`${arg}\n`)),
      flushPkt(),
    ]),
  };
}

/** Bytes as text, one character each. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** Our answer about the repository `identifier`, without the line that names the service. */
export async function answered(service: Service, question: Question, identifier = "x"): Promise<string> {
  const base = `/${encodeNpub(OWNER)}/${encodeIdentifier(identifier)}.git`;
  const path = "lsRefs" in question
    ? `${base}/git-upload-pack`
    : `${base}/info/refs?service=${question.service}`;
  const protocol = "lsRefs" in question ? "version=2" : question.protocol;
  const request = new Request(`http://x${path}`, {
    headers: { "Git-Protocol": protocol },
    ...("lsRefs" in question && { method: "POST", body: question.lsRefs as Uint8Array<ArrayBuffer> }),
  });
  const response = (await service.http.handle(request, path))!;
  const text = latin1(await response.bytes());
  return response.status === 200
    ? text.replace(/^001[ef]# service=git-[a-z]+-pack\n0000/, "")
    : `${response.status} ${text}`;
}

/** What git itself says about the repository at `path`, with the settings its children have here. */
export async function said(service: Service, question: Question, path: string): Promise<string> {
  const args = "lsRefs" in question
    ? ["upload-pack", "--stateless-rpc", "--strict", path]
    : [question.service.slice("git-".length), "--stateless-rpc", "--advertise-refs", path];
  const child = service.git.spawn(args, {
    protocol: "lsRefs" in question ? "version=2" : question.protocol,
  });
  const writer = child.stdin.getWriter();
  if ("lsRefs" in question) await writer.write(question.lsRefs).catch(() => {});
  await writer.close().catch(() => {});
  const output = latin1(joinBytes(await Array.fromAsync(child.stdout)));
  await child.ended;
  return output;
}

/** Dates everything that is looked at back, so that whatever changes from here on has another stamp. */
export async function age(path: string): Promise<void> {
  const long = new Date(1_600_000_000_123);
  const folders = [path];
  for (let index = 0; index < folders.length; index++) {
    for await (const { name, isDirectory } of Deno.readDir(folders[index]!)) {
      const entry = `${folders[index]}/${name}`;
      if (isDirectory) folders.push(entry);
      else await Deno.utime(entry, long, long);
    }
  }
  for (const folder of folders) await Deno.utime(folder, long, long);
}

/** Lets the service keep the refs of a repository in memory. Its clock is virtual. */
export async function warm(service: Service, identifier = "x"): Promise<void> {
  await age(service.repositories.path(service.ref(identifier)));
  await answered(service, ALL_REFS, identifier);
  await service.clock.advance(100);
  await answered(service, ADVERTISEMENTS[0]!, identifier);
}
