import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { newSigner, type Signer } from "../support/keys.ts";
import { commitFile, git, type GitOutput, newWorkTree, tryGit } from "../support/git_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { type Scene, scene } from "./support.ts";

/** The option that offers `/prs/`, with room for many pushes from one address. */
export const ON = { NGIT_GRASP06_ENABLE: "true", NGIT_GRASP06_PUSHES_PER_MINUTE: "1000" };

/** A contributor with a commit of their own. */
export interface Contribution extends Scene {
  readonly signer: Signer;
  readonly work: string;
  readonly base: string;
  readonly commit: string;
}

/** Runs `play` against a fresh server that offers `/prs/`. */
export async function contribution(
  play: (stage: Contribution) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  await scene(async (stage) => {
    const work = await newWorkTree(`${stage.directory}/contributor`);
    const base = await git(work, "rev-parse", "HEAD");
    const commit = await commitFile(work, "change.txt", "a change\n");
    await play({ ...stage, signer: newSigner(), work, base, commit });
  }, { ...ON, ...env });
}

/** URL of the contributor's repository. */
export function urlOf(server: ServerProcess, { npub }: Pick<Signer, "npub">, identifier = "repo"): string {
  return `${server.httpUrl}/prs/${npub}/${encodeURIComponent(identifier)}.git`;
}

/** A pull request that opts in to the signer's endpoint, for a repository nobody announced unless given. */
export function propose(
  server: Pick<ServerProcess, "domain">,
  signer: Signer,
  commit: string,
  more: { owner?: Pick<Signer, "pubkey">; clone?: string; kind?: number } = {},
): NostrEvent {
  const clone = more.clone ?? `http://${server.domain}/prs/${signer.npub}/repo.git`;
  return signer.sign({
    kind: more.kind ?? 1618,
    tags: [
      ["a", `30617:${(more.owner ?? newSigner()).pubkey}:repo`],
      ["c", commit],
      ["clone", clone],
    ],
    content: "please merge",
  });
}

/** Pushes a commit to the ref of an event id. */
export async function pushTo(work: string, url: string, id: string, commit: string): Promise<GitOutput> {
  return await tryGit(work, "push", url, `${commit}:refs/nostr/${id}`);
}

/** Everything below the server's `prs` folder, to two levels. */
export async function contributionsOnDisk(directory: string): Promise<string[]> {
  const root = `${directory}/data/git/prs`;
  const found: string[] = [];
  for (const owner of await Array.fromAsync(Deno.readDir(root)).catch(() => [])) {
    found.push(owner.name);
    for await (const { name } of Deno.readDir(`${root}/${owner.name}`)) found.push(`${owner.name}/${name}`);
  }
  return found.sort();
}
