import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { createClient } from "@libsql/client";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { tryGit } from "../support/git_client.ts";
import type { RelayClient } from "../support/relay_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { advertisement } from "../support/wire_libgit2.ts";
import { floorOf, type Project, type Sent, type SentState } from "./ledger.ts";
import { oidsOf } from "./plan.ts";

/** What is looked at. */
export interface Restarted {
  readonly server: ServerProcess;
  readonly relay: RelayClient;
  /** Where the bare repositories are. */
  readonly gitDataPath: string;
  readonly commits: readonly string[];
}

/** Compares a restarted server with everything it has promised about one project; throws on a breach. */
export async function verify(restarted: Restarted, project: Project): Promise<void> {
  try {
    const announcement = await expectVersion(restarted.relay, 30617, project, project.announcements);
    const state = await expectVersion(restarted.relay, 30618, project, project.states);
    await expectRelated(restarted.relay, project);
    if (project.announcements.some(({ promised }) => promised !== "nothing")) {
      await expectRepository(restarted, project, state);
    }
    await expectHeld(restarted.relay, project);
    ok(!state || announcement, "a state is served without its announcement");
  } catch (error) {
    throw new Error(`${project.identifier} of ${project.owner.npub} after the restart`, { cause: error });
  }
}

/** The served version is the newest promised one, or one sent after it; seen once, it is promised. */
async function expectVersion<T extends Sent>(
  relay: RelayClient,
  kind: number,
  { owner, identifier, states }: Project,
  versions: readonly T[],
): Promise<T | undefined> {
  const served = await relay.query({ kinds: [kind], authors: [owner.pubkey], "#d": [identifier] });
  ok(served.length <= 1, `${served.length} versions of kind ${kind} are served`);
  const index = versions.findIndex(({ event }) => event.id === served[0]?.id);
  ok(
    index >= floorOf(versions),
    `kind ${kind}: version ${index} is served, ${floorOf(versions)} was promised`,
  );
  if (index < 0) {
    strictEqual(served.length, 0, `kind ${kind}: something is served that nobody sent`);
    return undefined;
  }
  ok(states.length > 0, `kind ${kind} is served before any data`);
  deepStrictEqual(served[0], versions[index]!.event);
  versions[index]!.promised = "served";
  return versions[index];
}

async function expectRelated(relay: RelayClient, { related }: Project): Promise<void> {
  const promised = related.filter((sent) => sent.promised === "served").map(({ event }) => event);
  if (promised.length === 0) return;
  const byId = (a: NostrEvent, b: NostrEvent) => a.id < b.id ? -1 : 1;
  const served = await relay.query({ ids: promised.map(({ id }) => id) });
  deepStrictEqual(served.sort(byId), promised.sort(byId));
}

/** Refs and HEAD are those of the served state: neither behind nor half-way to another one. */
async function expectRepository(
  { server, gitDataPath, commits }: Restarted,
  { owner, identifier }: Project,
  state: SentState | undefined,
): Promise<void> {
  const listing = await advertisement(server.cloneUrl(owner.npub, identifier), "git-upload-pack");
  const refs = oidsOf(state?.refs ?? {}, commits);
  deepStrictEqual(listing.refs, state ? { HEAD: refs[state.head], ...refs } : {});
  if (state) strictEqual(listing.head, state.head);
  const path = `${gitDataPath}/${owner.npub}/${identifier}.git`;
  const fsck = await tryGit(path, "fsck", "--connectivity-only", "--no-dangling");
  strictEqual(fsck.code, 0, `git fsck: ${fsck.stderr}${fsck.stdout}`);
}

/** The newest waiting state is known to be waiting (older ones give way when a newer one is served). */
async function expectHeld(relay: RelayClient, { states }: Project): Promise<void> {
  const newest = states.at(-1);
  if (newest?.promised !== "held") return;
  const { accepted, message } = await relay.publish(newest.event);
  ok(accepted && message.startsWith("duplicate: in purgatory"), `a held state is answered with "${message}"`);
}

/** SQLite finds nothing wrong with the file of a stopped server. */
export async function expectSoundDatabase(file: string): Promise<void> {
  const database = createClient({ url: `file:${file}` });
  try {
    const { rows } = await database.execute("PRAGMA integrity_check");
    deepStrictEqual(rows.map((row) => row[0]), ["ok"]);
  } finally {
    database.close();
  }
}
