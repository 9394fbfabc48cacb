import { strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { pushThrough } from "../support/engine.ts";
import { newWorkTree, refsOf } from "../support/git_client.ts";
import { type Author, state } from "../support/sync_events.ts";
import type { Story } from "./support.ts";

/** A work tree of a user, and the state that declares it. */
export interface Work {
  readonly path: string;
  readonly tip: string;
  readonly state: NostrEvent;
}

/** A repository with one commit, and its author's state event, published nowhere yet. */
export async function workOf(
  story: Pick<Story, "directory">,
  author: Author,
  identifier: string,
  created_at = 1_799_500_000,
): Promise<Work> {
  const path = await newWorkTree(`${story.directory}/work-${author.pubkey.slice(-8)}-${created_at}`);
  const refs = await refsOf(path);
  return { path, tip: refs["refs/heads/main"]!, state: state(author, identifier, refs, created_at) };
}

/** The owner pushes it to the relay under test; what waited for it is served afterwards. */
export async function push(story: Story, { path }: Work, owner: Author, identifier: string): Promise<void> {
  const refusal = pushThrough(story.world, path, { owner: owner.pubkey, identifier }, ["refs/heads/main"]);
  strictEqual(await story.finish(refusal), "");
}
