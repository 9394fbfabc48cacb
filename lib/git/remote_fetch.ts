import { isOid, isValidRefName } from "../nostr/mod.ts";
import type { Git, GitResult } from "./git.ts";
import { isAtLeast } from "./settings.ts";

/** Refs that protect fetched objects until what waits for them is served: this, then the object id. */
export const KEEP_REFS = "refs/purgatory/keep/";
/** Refs of a running fetch of branches. */
export const TEMPORARY_REFS = "refs/purgatory/tmp/";

/** One remote repository; the host of its URL was resolved and checked. */
export interface RemoteRepository {
  /** `http:` or `https:` URL; redirects are not followed. */
  readonly url: string;
  /** The only addresses the child may connect to. */
  readonly addresses: readonly string[];
}

/** How a child that talks to another server is run; times in milliseconds. */
export interface RemoteOptions {
  readonly timeoutMs: number;
  /** Less than a byte per second for so long ends it. */
  readonly stalledMs: number;
  readonly userAgent: string;
  readonly signal: AbortSignal;
}

/** Most output of a listing of refs. */
const MAX_LISTING_BYTES = 16 << 20;
/** Refs of a listing that are read: all at once, so that more would stop everything else. */
const MAX_LISTED_REFS = 50_000;

/** True when this git connects to given addresses only; an older one asks DNS again by itself. */
export function canPinAddresses(git: Pick<Git, "version">): boolean {
  return isAtLeast(git.version, 2, 37);
}

/** A source refspec with its destination; forced. */
export interface FetchSpec {
  /** Object id or full ref name. */
  readonly from: string;
  readonly to: string;
}

/**
 * Fetches refspecs with their whole history into the repository at `path`: all or nothing, no tags, no
 * FETCH_HEAD. The caller has checked {@link canPinAddresses}.
 */
export async function fetchRemote(
  git: Git,
  path: string,
  remote: RemoteRepository,
  specs: readonly FetchSpec[],
  options: RemoteOptions,
): Promise<GitResult> {
  const lines = specs.filter(isSafe).map(({ from, to }) => `+${from}:${to}\n`);
  return await git.run([
    `--git-dir=${path}`,
    ...settings(remote, options, specs.every(({ from }) => isOid(from)) ? 2 : 0),
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-recurse-submodules",
    "--refmap=",
    "--atomic",
    "--stdin",
    "--end-of-options",
    remote.url,
  ], {
    input: lines.join(""),
    timeoutMs: options.timeoutMs,
    allowProtocol: "http:https",
    signal: options.signal,
  });
}

/** Object id by full name of the refs a server advertises, the first of very many; undefined when it does not say. */
export async function listRemote(
  git: Git,
  remote: RemoteRepository,
  options: RemoteOptions,
): Promise<ReadonlyMap<string, string> | undefined> {
  const result = await git.run(
    [...settings(remote, options, 0), "ls-remote", "--quiet", "--refs", "--end-of-options", remote.url],
    {
      timeoutMs: options.timeoutMs,
      allowProtocol: "http:https",
      signal: options.signal,
      maxOutputBytes: MAX_LISTING_BYTES,
    },
  );
  if (result.code !== 0 || result.stopped) return undefined;
  const refs = new Map<string, string>();
  for (const line of new TextDecoder().decode(result.stdout).split("\n", MAX_LISTED_REFS)) {
    const [oid, name] = line.split("\t");
    if (oid !== undefined && name !== undefined && isOid(oid) && isValidRefName(name)) refs.set(name, oid);
  }
  return refs;
}

function isSafe({ from, to }: FetchSpec): boolean {
  return (isOid(from) || (from.startsWith("refs/") && isValidRefName(from))) &&
    to.startsWith("refs/purgatory/") && isValidRefName(to);
}

/**
 * Whoever asks for refs asks by protocol 0: git takes that answer as one text, whose size the limit of
 * allocations ends, but a listing of protocol 2 ref by ref for as long as the server goes on.
 */
function settings(
  { url, addresses }: RemoteRepository,
  { stalledMs, userAgent }: RemoteOptions,
  version: 0 | 2,
): readonly string[] {
  const { hostname, port, protocol } = new URL(url);
  const entry = `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
  const bracketed = addresses.map((address) => address.includes(":") ? `[${address}]` : address);
  return [
    `protocol.version=${version}`,
    "http.followRedirects=false",
    // Without a leading plus the entry never times out: there is no second DNS answer.
    ...(hostname.startsWith("[") ? [] : [`http.curloptResolve=${entry}:${bracketed.join(",")}`]),
    "http.proxy=",
    "http.lowSpeedLimit=1",
    `http.lowSpeedTime=${Math.ceil(stalledMs / 1000)}`,
    `http.userAgent=${userAgent}`,
    "transfer.bundleURI=false",
    "credential.helper=",
  ].flatMap((setting) => ["-c", setting]);
}

/**
 * Files of objects at `path`, those being written included. From a server without upload-pack git takes
 * single objects, packs and indexes as they lie there.
 */
export async function objectFiles(path: string): Promise<ReadonlySet<string>> {
  const files = new Set<string>();
  for (const folder of await namesIn(`${path}/objects`)) {
    if (folder === "pack") {
      const names = new Set(await namesIn(`${path}/objects/pack`));
      for (const name of names) if (isDownload(name, names)) files.add(`pack/${name}`);
    } else if (/^[0-9a-f]{2}$/.test(folder)) {
      for (const name of await namesIn(`${path}/objects/${folder}`)) files.add(`${folder}/${name}`);
    }
  }
  return files;
}

/** Not what git computed here from a pack. */
function isDownload(name: string, names: ReadonlySet<string>): boolean {
  if (name.endsWith(".idx")) return !names.has(name.replace(/\.idx$/, ".pack"));
  return name.endsWith(".pack") || name.endsWith(".temp") || name.startsWith("tmp_pack_");
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  } catch {
    return []; // nothing there
  }
}

/** Bytes in files of objects that are not among `known`. */
export async function objectBytesBeyond(path: string, known: ReadonlySet<string>): Promise<number> {
  let bytes = 0;
  for (const name of await objectFiles(path)) {
    if (known.has(name)) continue;
    const file = await Deno.stat(`${path}/objects/${name}`).catch(() => undefined);
    bytes += file?.size ?? 0;
  }
  return bytes;
}
