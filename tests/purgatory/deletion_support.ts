import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";
import { DOMAIN, type Engine } from "../support/engine.ts";
import { newWorkTree, refsOf } from "../support/git_client.ts";

/** The time of most events, in seconds. */
export const T = 1_700_000_000;

/** A deletion request. */
export const remove = (author: Signer, tags: string[][], created_at = T + 1_000) =>
  author.sign({ kind: 5, tags, created_at });
/** The coordinate of a repository, or of a state. */
export const address = (owner: Signer, kind = 30617) => `${kind}:${owner.pubkey}:repo`;

/** A repository in purgatory. */
export async function waiting(world: Engine, at = T) {
  const owner = newSigner();
  const work = await newWorkTree(`${world.directory}/work-${owner.npub.slice(-8)}`);
  const announcement = announce(owner, "repo", { domain: DOMAIN, created_at: at });
  match((await world.submit(announcement)).message, /^purgatory:/);
  return { owner, work, announcement, repository: { owner: owner.pubkey, identifier: "repo" } };
}

/** A repository with git data and a state. */
export async function served(world: Engine) {
  const found = await waiting(world);
  const state = declare(found.owner, "repo", await refsOf(found.work), {
    head: "refs/heads/main",
    created_at: T,
  });
  await world.submit(state);
  strictEqual(await world.push(found.work, found.owner.pubkey, "repo", ["refs/heads/main"]), "");
  return { ...found, state };
}

/** Submits an event that is taken without a word. */
export const accepted = async (world: Engine, event: NostrEvent) =>
  deepStrictEqual((await world.submit(event)).message, "");
