/**
 * `deno task demo:sync`: two servers find each other and keep the same repository, told step by step.
 *
 * Exit code 0 only if every step held. Everything it creates is removed.
 */
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { announceOn } from "../support/announce_on.ts";
import { commitFile, git, newWorkTree, refsOf, tryGit } from "../support/git_client.ts";
import { declare, newSigner, type Signer } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { hold, holdWithin, play, step, tell } from "./story.ts";

const IDENTIFIER = "together";
/** Generous: on a machine with nothing else to do every wait ends within seconds. */
const DEADLINE_MS = 90_000;
const ENV = { NGIT_LOG_LEVEL: "info" };

/** What the steps share; `a` changes when the server returns. */
interface Stage {
  readonly directory: string;
  readonly work: string;
  readonly alice: Signer;
  readonly bob: Signer;
  a: ServerProcess;
  readonly b: ServerProcess;
}

async function demo(directory: string): Promise<void> {
  step("Start two servers with empty data directories");
  const a = await ServerProcess.start({ dataPath: `${directory}/a`, env: ENV });
  const b = await startBeside(a, `${directory}/b`);
  tell(`A is ${a.domain} and knows nobody; B is ${b.domain} and was told of A`);
  const work = await newWorkTree(`${directory}/work`, ["README.md", "main.c"]);
  await git(work, "tag", "-a", "v1", "-m", "first release");
  const stage: Stage = { directory, work, alice: newSigner(), bob: newSigner(), a, b };
  try {
    await publishOnOne(stage);
    await appearOnOther(stage);
    await talk(stage);
    await loseOne(stage);
  } catch (error) {
    tellLog("A", stage.a);
    tellLog("B", stage.b);
    throw error;
  } finally {
    step("Stop both servers");
    const codes = await Promise.all([stage.a.stop(), stage.b.stop()]);
    tell(`exit codes ${codes.join(" and ")}`);
  }
}

/** The second server; the first is stopped when it does not start. */
async function startBeside(a: ServerProcess, dataPath: string): Promise<ServerProcess> {
  try {
    const env = { ...ENV, NGIT_SYNC_BOOTSTRAP_RELAY_URL: `ws://${a.domain}` };
    return await ServerProcess.start({ dataPath, env });
  } catch (error) {
    await a.stop();
    throw error;
  }
}

async function publishOnOne({ work, alice, a, b }: Stage): Promise<void> {
  step("Alice announces a repository that both servers shall host, and pushes to A only");
  const announcement = announceOn(alice, IDENTIFIER, [a.domain, b.domain]);
  const state = declare(alice, IDENTIFIER, await refsOf(work), { head: "refs/heads/main" });
  await publish(a, announcement, state);
  const pushed = await push(work, a, alice);
  tell(pushed.stderr);
  hold(pushed.code === 0, "A accepted the push");
  hold(await serves(a, [announcement, state]), "A serves announcement and state");
}

async function appearOnOther({ directory, work, alice, a, b }: Stage): Promise<void> {
  step("The repository appears on B, which nobody sent anything to");
  await holdWithin(
    DEADLINE_MS,
    "B serves announcement and state",
    async () => (await query(b, { kinds: [30617, 30618], authors: [alice.pubkey] })).length === 2,
  );
  const clone = `${directory}/clone-of-b`;
  await git(directory, "clone", "-q", "--mirror", b.cloneUrl(alice.npub, IDENTIFIER), clone);
  hold(same(await refsOf(clone), await refsOf(work)), "a clone from B has the refs that were pushed to A");
  hold((await tryGit(clone, "fsck", "--full", "--strict")).code === 0, "git fsck finds nothing wrong in it");

  step("A learns of B from the announcement");
  await holdWithin(DEADLINE_MS, "A is connected to B, and says so in its metrics", () => follows(a, b));
  await holdWithin(DEADLINE_MS, "B is connected to A", () => follows(b, a));
}

async function talk({ alice, bob, a, b }: Stage): Promise<void> {
  step("Bob opens an issue on A, Alice comments there");
  const issue = issueOf(bob, alice, "the build fails on a clean checkout");
  const comment = commentOn(alice, issue, "which compiler?");
  await publish(a, issue);
  await holdWithin(DEADLINE_MS, "the issue is on B", () => serves(b, [issue]));
  await publish(a, comment);
  await holdWithin(DEADLINE_MS, "the comment is on B", () => serves(b, [comment]));
  const answer = commentOn(bob, issue, "cc 12");
  await publish(b, answer);
  await holdWithin(DEADLINE_MS, "an answer given on B is on A", () => serves(a, [answer]));
}

async function loseOne(stage: Stage): Promise<void> {
  const { directory, work, alice, bob, b } = stage;
  const { port } = stage.a;
  step("A is killed (kill -9); meanwhile B gets an issue and a push");
  await stage.a.kill();
  const issue = issueOf(bob, alice, "A is down");
  await publish(b, issue);
  await commitFile(work, "fix.c", "int fixed;\n");
  const head = await git(work, "rev-parse", "main");
  const state = declare(alice, IDENTIFIER, await refsOf(work), {
    head: "refs/heads/main",
    created_at: Math.floor(Date.now() / 1000) + 1,
  });
  await publish(b, state);
  hold((await push(work, b, alice)).code === 0, "B accepted the push");
  hold(await serves(b, [issue, state]), "B serves the issue and the new state");

  step("A returns with its data, on the same port, and catches up");
  const a = stage.a = await ServerProcess.start({ dataPath: `${directory}/a`, env: ENV, port });
  await holdWithin(DEADLINE_MS, "A serves the issue and the new state", () => serves(a, [issue, state]));
  const url = a.cloneUrl(alice.npub, IDENTIFIER);
  const listed = await git(directory, "ls-remote", url, "refs/heads/main");
  hold(listed.startsWith(head), "main on A is the commit that was pushed to B");
  const clone = `${directory}/clone-of-a`;
  await git(directory, "clone", "-q", url, clone);
  hold((await tryGit(clone, "fsck", "--full", "--strict")).code === 0, "a clone from A is sound");
}

function issueOf(author: Signer, owner: Signer, content: string): NostrEvent {
  return author.sign({ kind: 1621, tags: [["a", `30617:${owner.pubkey}:${IDENTIFIER}`]], content });
}

function commentOn(author: Signer, issue: NostrEvent, content: string): NostrEvent {
  const tags = [["E", issue.id], ["K", "1621"], ["P", issue.pubkey], ["e", issue.id], ["k", "1621"]];
  return author.sign({ kind: 1111, tags, content });
}

/** Publishes and tells the answers; every event has to be accepted. */
async function publish(server: ServerProcess, ...events: readonly NostrEvent[]): Promise<void> {
  const relay = await RelayClient.connect(server.wsUrl);
  for (const event of events) {
    const { accepted, message } = await relay.publish(event);
    tell(`kind ${event.kind}: OK ${accepted} "${message}"`);
    if (!accepted) throw new Error(`kind ${event.kind} was refused by ${server.domain}`);
  }
  await relay.close();
}

function push(work: string, server: ServerProcess, owner: Signer) {
  const specs = ["refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"];
  return tryGit(work, "push", server.cloneUrl(owner.npub, IDENTIFIER), ...specs);
}

async function query(server: ServerProcess, filter: Record<string, unknown>): Promise<NostrEvent[]> {
  const relay = await RelayClient.connect(server.wsUrl);
  const events = await relay.query(filter);
  await relay.close();
  return events;
}

async function serves(server: ServerProcess, events: readonly NostrEvent[]): Promise<boolean> {
  return (await query(server, { ids: events.map(({ id }) => id) })).length === events.length;
}

/** True when `server` reports a live connection to `peer` in its metrics. */
async function follows(server: ServerProcess, peer: ServerProcess): Promise<boolean> {
  const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text();
  const line = metrics.split("\n").find((text) =>
    text.startsWith("ngit_sync_relay_connected{") && text.includes(`"ws://${peer.domain}"`)
  );
  return line !== undefined && ["2", "3", "4"].includes(line.slice(line.lastIndexOf(" ") + 1));
}

function same(one: Record<string, string>, other: Record<string, string>): boolean {
  const text = (refs: Record<string, string>) => JSON.stringify(Object.entries(refs).sort());
  return text(one) === text(other);
}

function tellLog(name: string, server: ServerProcess): void {
  tell(`last lines of ${name}:\n${server.log.split("\n").slice(-15).join("\n")}`);
}

await play(demo);
