import { encodeNpub } from "../../nostr/mod.ts";
import { MAX_PREFLIGHT_BYTES, preflightUrl, readPreflight } from "../../hunt/mod.ts";
import type { RepositoryKey } from "../../store/mod.ts";
import type { Clock, Network } from "../../world/mod.ts";
import type { DataBeside } from "../beside.ts";

/** Refs of one repository by name; empty when there is none, undefined when it could not be read. */
export type Refs = ReadonlyMap<string, string> | undefined;

/** Refs of a repository on this disk. */
export async function refsHere({ repositories }: DataBeside, repository: RepositoryKey): Promise<Refs> {
  if (!await repositories.exists(repository)) return new Map();
  return await repositories.readRefs(repository).then(({ refs }) => refs, () => undefined);
}

const TIMEOUT_MS = 30_000;

/** Refs of a repository of another server, asked by git's protocol 0, which lists them in one answer. */
export async function refsThere(
  network: Network,
  clock: Clock,
  baseUrl: string,
  { owner, identifier }: RepositoryKey,
  signal: AbortSignal,
): Promise<Refs> {
  const answer = await network.get({
    url: preflightUrl(`${baseUrl}/${encodeNpub(owner)}/${encodeURIComponent(identifier)}.git`),
    headers: {},
    trusted: true,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_PREFLIGHT_BYTES,
    maxRedirects: 3,
    signal,
  });
  if (answer.ok && answer.status === 404) return new Map();
  const server = readPreflight(answer, clock.now());
  return server.ok ? server.refs : undefined;
}
