import { nsecEncode } from "nostr-tools/nip19";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { commitFile, git, newWorkTree, refsOf } from "../support/git_client.ts";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";
import { legacyAnnouncement, legacyState, purgatoryState, rejectedCache } from "../support/legacy_files.ts";

/** Public name of the server that moves: it stays the same. */
export const DOMAIN = "git.example.org";
/** Secret key of the relay that moves. */
const RELAY_KEY = new Uint8Array(32).fill(7);
/** Its public identity. */
export const RELAY = newSigner(RELAY_KEY);

/** One repository of the old server. */
export interface OldRepository {
  readonly owner: Signer;
  readonly identifier: string;
  readonly work: string;
  /** Below the old git data path. */
  readonly path: string;
  readonly announcement: NostrEvent;
  readonly state: NostrEvent;
}

/** The data of a server that was stopped. */
export interface OldServer {
  readonly directory: string;
  readonly gitPath: string;
  readonly relayPath: string;
  readonly repositories: readonly OldRepository[];
  /** Everything its relay served, genuine or not. */
  readonly events: readonly NostrEvent[];
  /** Those that are signed by their authors and have their git data. */
  readonly good: readonly NostrEvent[];
  /** An announcement without git data, as ngit-relay keeps them for ever. */
  readonly empty: NostrEvent;
}

const NOW = () => Math.floor(Date.now() / 1000);

/** What both old servers hold: three repositories, talk about them, one forgery and one empty announcement. */
async function content(directory: string, gitPath: string): Promise<Omit<OldServer, "relayPath">> {
  const repositories: OldRepository[] = [];
  const [alice, bob] = [newSigner(), newSigner()];
  for (const [owner, identifier] of [[alice, "site"], [bob, "site"], [bob, "with space"]] as const) {
    const work = await newWorkTree(`${directory}/work-${repositories.length}`, ["a.txt", "b.txt"]);
    await git(work, "branch", "next", "HEAD~1");
    await git(work, "tag", "-a", "-m", "first", "v1");
    const path = `${gitPath}/${owner.npub}/${identifier}.git`;
    await Deno.mkdir(`${gitPath}/${owner.npub}`, { recursive: true });
    await git(directory, "clone", "-q", "--bare", work, path);
    await git(path, "remote", "remove", "origin");
    const created_at = NOW() - 10_000 + repositories.length;
    repositories.push({
      owner,
      identifier,
      work,
      path,
      announcement: announce(owner, identifier, { domain: DOMAIN, created_at }),
      state: declare(owner, identifier, await refsOf(work), { head: "refs/heads/main", created_at }),
    });
  }
  const [first] = repositories;
  const coordinate = `30617:${alice.pubkey}:site`;
  const issue = bob.sign({
    kind: 1621,
    tags: [["a", coordinate]],
    content: "it fails",
    created_at: NOW() - 900,
  });
  const reply = alice.sign({ kind: 1111, tags: [["E", issue.id], ["e", issue.id]], created_at: NOW() - 800 });
  const pull = bob.sign({
    kind: 1618,
    tags: [["a", coordinate], ["c", first!.state.tags.find(([name]) => name === "refs/heads/next")![1]!]],
    created_at: NOW() - 700,
  });
  const deletion = bob.sign({ kind: 5, tags: [["e", "1".repeat(64)]], created_at: NOW() - 600 });
  const empty = announce(alice, "never-pushed", { domain: DOMAIN, created_at: NOW() - 500 });
  const forged = { ...announce(bob, "forged", { domain: DOMAIN }), sig: "0".repeat(128) };
  const good = [
    ...repositories.flatMap(({ announcement, state }) => [announcement, state]),
    issue,
    reply,
    pull,
    deletion,
  ];
  // As a dump comes: newest first, so that everything precedes what it refers to.
  return { directory, gitPath, repositories, good, empty, events: [forged, empty, ...good.toReversed()] };
}

/** What only a Rust ngit-grasp has. */
export interface RustServer extends OldServer {
  /** Announced and declared, not pushed yet. */
  readonly waiting: OldRepository;
  /** A pull request whose commit is in its author's repository below `prs/` only (GRASP-06). */
  readonly contribution: NostrEvent;
}

/** A Rust ngit-grasp after a clean stop: `.env`, key file, LMDB, plain bare repositories and its two state files. */
export async function rustServer(directory: string): Promise<RustServer> {
  const [gitPath, relayPath] = [`${directory}/data/git`, `${directory}/data/relay`];
  await Deno.mkdir(relayPath, { recursive: true });
  await Deno.writeFile(`${relayPath}/data.mdb`, new Uint8Array(8_192).fill(1));
  await Deno.writeFile(`${relayPath}/lock.mdb`, new Uint8Array(8_192));
  const old = await content(directory, gitPath);
  await Deno.writeTextFile(`${directory}/.relay-owner.nsec`, nsecEncode(RELAY_KEY), { mode: 0o600 });
  const env = [
    `NGIT_DOMAIN=${DOMAIN}`,
    'NGIT_RELAY_NAME="Our GRASP"',
    "NGIT_RELAY_DESCRIPTION=Git and Nostr",
    "NGIT_DATABASE_BACKEND=lmdb",
    "NGIT_GIT_DATA_PATH=./data/git",
    "NGIT_RELAY_DATA_PATH=./data/relay",
    "NGIT_BIND_ADDRESS=127.0.0.1:0",
    "NGIT_GRASP06_ENABLE=true",
    "RUST_LOG=info",
  ];
  await Deno.writeTextFile(`${directory}/.env`, env.join("\n") + "\n");
  const waiting = await waitingRepository(directory, gitPath, old.repositories[0]!.owner);
  await Deno.writeTextFile(
    `${gitPath}/purgatory-state.json`,
    purgatoryState(Date.now() - 30_000, {
      announcements: [legacyAnnouncement(waiting.announcement)],
      states: { [waiting.identifier]: [legacyState(waiting.state, "Direct")] },
    }),
  );
  const refused = announce(newSigner(), "foreign", { domain: "elsewhere.example" });
  await Deno.writeTextFile(
    `${gitPath}/rejected-events-cache.json`,
    rejectedCache(Date.now() - 30_000, { ids: [{ event: refused, age: 5, reason: "DoesNotListService" }] }),
  );
  const contribution = await contributed(directory, gitPath, old.repositories[0]!);
  const events = [contribution, ...old.events];
  return { ...old, relayPath, waiting, contribution, events, good: [...old.good, contribution] };
}

/** Somebody's commit above a hosted repository, pushed below `prs/`, and its pull request. */
async function contributed(directory: string, gitPath: string, target: OldRepository): Promise<NostrEvent> {
  const contributor = newSigner();
  const { owner, identifier } = target;
  const path = `${gitPath}/prs/${contributor.pubkey}/${identifier}.git`;
  await Deno.mkdir(`${gitPath}/prs/${contributor.pubkey}`, { recursive: true });
  await git(directory, "init", "-q", "--bare", path);
  await git(directory, "clone", "-q", target.path, "contributor");
  const commit = await commitFile(`${directory}/contributor`, "proposal", "please\n");
  const event = contributor.sign({
    kind: 1618,
    tags: [
      ["a", `30617:${owner.pubkey}:${identifier}`],
      ["c", commit],
      ["clone", `http://${DOMAIN}/prs/${contributor.npub}/${identifier}.git`],
    ],
    created_at: NOW() - 400,
  });
  await git(`${directory}/contributor`, "push", "-q", path, `${commit}:refs/nostr/${event.id}`);
  return event;
}

/** Announced and declared on the old server, not pushed yet: it waits in purgatory with an empty repository. */
async function waitingRepository(directory: string, gitPath: string, owner: Signer): Promise<OldRepository> {
  const identifier = "waiting";
  const work = await newWorkTree(`${directory}/work-waiting`);
  const path = `${gitPath}/${owner.npub}/${identifier}.git`;
  await git(directory, "init", "-q", "--bare", path);
  const announcement = announce(owner, identifier, { domain: DOMAIN });
  const state = declare(owner, identifier, await refsOf(work), { head: "refs/heads/main" });
  return { owner, identifier, work, path, announcement, state };
}

/** The volumes of an ngit-relay (Go): repositories with hooks, settings, modes and remotes of its own, Badger, `.env`. */
export async function goServer(directory: string): Promise<OldServer & { readonly hookMark: string }> {
  const [gitPath, relayPath] = [`${directory}/volumes/repos`, `${directory}/volumes/relay-db`];
  await Deno.mkdir(relayPath, { recursive: true });
  for (const name of ["KEYREGISTRY", "MANIFEST", "000001.vlog", "00001.mem"]) {
    await Deno.writeFile(`${relayPath}/${name}`, new Uint8Array(1_024).fill(2));
  }
  const old = await content(directory, gitPath);
  const hookMark = `${directory}/a-hook-ran`;
  const hook = `${directory}/ngit-relay-hook`;
  await Deno.writeTextFile(hook, `#!/bin/sh\ntouch '${hookMark}'\nexit 1\n`, { mode: 0o755 });
  for (const { path } of old.repositories) {
    await git(path, "config", "http.receivepack", "true");
    await git(path, "config", "uploadpack.allowFilter", "true");
    await git(path, "config", "uploadpack.allowTipSHA1InWant", "true");
    await git(path, "config", "uploadpack.allowReachableSHA1InWant", "true");
    await git(path, "config", "receive.denyCurrentBranch", "refuse");
    await git(path, "remote", "add", "origin_1712345678", "https://gone.invalid/x.git");
    await Deno.mkdir(`${path}/hooks`, { recursive: true });
    await Deno.symlink(hook, `${path}/hooks/pre-receive`);
    await Deno.symlink("/usr/local/bin/ngit-relay-post-receive", `${path}/hooks/post-receive`);
    await Deno.chmod(path, 0o777);
    await Deno.chmod(`${path}/HEAD`, 0o666);
  }
  const env = [
    `NGIT_DOMAIN=${DOMAIN}`,
    `NGIT_OWNER_NPUB=${RELAY.npub}`,
    'NGIT_RELAY_NAME="Our GRASP"',
    'NGIT_RELAY_DESCRIPTION="Git and Nostr"',
    "NGIT_BLOSSOM_MAX_FILE_SIZE_MB=100",
    "NGIT_BLOSSOM_MAX_CAPACITY_GB=50",
    "NGIT_PROACTIVE_SYNC_GIT=true",
    "NGIT_PROACTIVE_SYNC_NOSTR=true",
    "NGIT_PROACTIVE_SYNC_BLOSSOM=true",
    "NGIT_LOG_DIR=/var/log/ngit-relay",
    "NGIT_LOG_MAX_SIZE_MB=20",
    "NGIT_INTERNAL_RELAY_PORT_FOR_SSL_PROXY=8081",
  ];
  await Deno.writeTextFile(`${directory}/.env`, env.join("\n") + "\n");
  return { ...old, relayPath, hookMark };
}

/** A later commit of a repository, and the state that declares it. */
export async function nextVersion({ owner, identifier, work }: OldRepository): Promise<NostrEvent> {
  await commitFile(work, `later-${NOW()}`, "later\n");
  return declare(owner, identifier, await refsOf(work), { head: "refs/heads/main" });
}
