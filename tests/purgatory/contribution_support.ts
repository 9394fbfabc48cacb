import { strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { RepositoryRef } from "../../lib/git/mod.ts";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";
import { DOMAIN, type Engine, engine, type EngineOptions } from "../support/engine.ts";
import { commitFile, git, newWorkTree, refsOf } from "../support/git_client.ts";

/** Seconds; what announcements are dated. */
export const T = 1_700_000_000;

/** A contributor with a work tree: `base` is on main, `commit` above it. */
export interface Contributor {
  readonly signer: Signer;
  readonly work: string;
  readonly base: string;
  readonly commit: string;
}

/** Runs `play` with an engine that offers `/prs/`, and a contributor. */
export async function contributing(
  play: (world: Engine, contributor: Contributor) => Promise<void>,
  contributions: NonNullable<EngineOptions["contributions"]> = {},
): Promise<void> {
  await engine(
    async (world) => play(world, await contributor(world.directory)),
    {},
    { contributions },
  );
}

/** A contributor with two commits. */
export async function contributor(directory: string, name = "contributor"): Promise<Contributor> {
  const work = await newWorkTree(`${directory}/${name}`);
  const base = await git(work, "rev-parse", "HEAD");
  return { signer: newSigner(), work, base, commit: await commitFile(work, `${name}.txt`, `${name}\n`) };
}

/** What a proposal says beyond its commit. */
export interface ProposalOptions {
  readonly owners?: readonly Signer[];
  readonly identifier?: string;
  readonly kind?: number;
  /** `clone` values instead of the signer's endpoint. */
  readonly clone?: readonly string[];
  readonly content?: string;
}

/** A pull request that opts in to the signer's endpoint. */
export function propose(signer: Signer, commit: string, options: ProposalOptions = {}): NostrEvent {
  const { owners = [newSigner()], identifier = "repo", kind = 1618, content = "please merge" } = options;
  const clone = options.clone ?? [`https://${DOMAIN}/prs/${signer.npub}/${identifier}.git`];
  return signer.sign({
    kind,
    tags: [
      ...owners.map((owner) => ["a", `30617:${owner.pubkey}:${identifier}`]),
      ["c", commit],
      ["clone", ...clone],
    ],
    content,
  });
}

/** The contributor's repository. */
export function placeOf({ pubkey }: Pick<Signer, "pubkey">, identifier = "repo"): RepositoryRef {
  return { space: "prs", owner: pubkey, identifier };
}

/** Pushes a commit to `refs/nostr/<id>` below `/prs/`; the reason when refused. */
export async function offer(
  world: Engine,
  work: string,
  repository: RepositoryRef,
  id: string,
  commit: string,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string> {
  const ref = `refs/nostr/${id}`;
  const exists = await world.repositories.exists(repository);
  const old = exists ? (await world.repositories.readRefs(repository)).refs.get(ref) : undefined;
  const commands = [{ ref, oldOid: old ?? "0".repeat(40), newOid: commit }];
  const done = world.repositories.use(repository);
  try {
    const decision = await world.contributions!.authorise(repository, commands);
    if (!decision.ok) return decision.reasons.get(ref)!;
    await git(work, "push", "-q", "--force", world.repositories.path(repository), `${commit}:${ref}`);
    await between();
    await world.contributions!.settle(decision.grant, commands);
    return "";
  } finally {
    done();
  }
}

/** What a ref of an event points to in a repository; undefined also when the repository is gone. */
export async function refOf(
  world: Engine,
  repository: RepositoryRef,
  id: string,
): Promise<string | undefined> {
  if (!await world.repositories.exists(repository)) return undefined;
  return (await world.repositories.readRefs(repository)).refs.get(`refs/nostr/${id}`);
}

/** Announces, declares and pushes a repository: it is served with the work tree's main. */
export async function host(
  world: Engine,
  owner: Signer,
  { work, base }: Pick<Contributor, "work" | "base">,
  maintainers: readonly string[] = [],
): Promise<RepositoryRef> {
  await announceOnly(world, owner, maintainers);
  await publishMain(world, owner, { work, base });
  return { owner: owner.pubkey, identifier: "repo" };
}

/** An announcement that waits for its data. */
export async function announceOnly(
  world: Engine,
  owner: Signer,
  maintainers: readonly string[] = [],
): Promise<NostrEvent> {
  const announcement = announce(owner, "repo", { domain: DOMAIN, maintainers, created_at: T });
  await world.submit(announcement);
  return announcement;
}

/** State and push of what a work tree began with. */
export async function publishMain(
  world: Engine,
  owner: Signer,
  { work, base }: Pick<Contributor, "work" | "base">,
): Promise<void> {
  const copy = `${world.directory}/main-${owner.npub.slice(-8)}`;
  await git(world.directory, "clone", "-q", work, copy);
  await git(copy, "reset", "-q", "--hard", base);
  await world.submit(declare(owner, "repo", await refsOf(copy), { head: "refs/heads/main", created_at: T }));
  strictEqual(await world.push(copy, owner.pubkey, "repo", ["refs/heads/main"]), "");
}

/** Names below a directory, sorted; none when it does not exist. */
export async function namesIn(path: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(path)).catch(() => []);
  return entries.map(({ name }) => name).sort();
}
