/**
 * `deno task demo [PATH-TO-A-GIT-REPOSITORY]`: the main job on real input, told step by step. With
 * `NGIT_GRASP06_ENABLE=true` also a contributor's pull request below `/prs/`.
 *
 * Exit code 0 only if every step held. Everything it creates is removed.
 */
import { resolve } from "node:path";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";
import { commitFile, git, newWorkTree, refsOf, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { hold, play, step, tell } from "./story.ts";

/** The repository to publish: the given one, this project's own history, or a generated one. */
async function sourceRepository(directory: string): Promise<string> {
  const given = Deno.args[0];
  if (given) {
    const path = resolve(given);
    if ((await tryGit(path, "rev-parse", "--git-dir")).code !== 0) {
      throw new Error(`${path} is not a git repository`);
    }
    if ((await git(path, "rev-parse", "--is-shallow-repository")) === "true") {
      throw new Error(`${path} is a shallow clone; its history is incomplete and cannot be pushed`);
    }
    return path;
  }
  const own = resolve(import.meta.dirname!, "../..");
  const usable = (await tryGit(own, "rev-parse", "--verify", "-q", "HEAD")).code === 0 &&
    (await git(own, "rev-parse", "--is-shallow-repository")) === "false" &&
    Object.keys(await refsOf(own)).length > 0;
  if (usable) return own;
  const generated = await newWorkTree(`${directory}/generated`, ["README.md", "main.c", "LICENSE"]);
  await git(generated, "tag", "-a", "v1", "-m", "first release");
  return generated;
}

/** Branches and tags to publish, and the branch HEAD names. */
async function readSource(source: string) {
  const refs = await refsOf(source);
  const named = (await tryGit(source, "symbolic-ref", "-q", "HEAD")).stdout.trim();
  const head = refs[named] ? named : Object.keys(refs).find((name) => name.startsWith("refs/heads/"));
  if (!head) throw new Error("the repository has no branch");
  return { refs, head };
}

async function demo(directory: string): Promise<void> {
  step("Start a server with an empty data directory");
  const server = await ServerProcess.start({
    dataPath: `${directory}/data`,
    env: { NGIT_LOG_LEVEL: "info", NGIT_GRASP06_ENABLE: String(OFFERS_PRS) },
  });
  const relay = await RelayClient.connect(server.wsUrl);
  try {
    tell(`listening on ${server.httpUrl}, data in ${directory}/data`);
    const source = await sourceRepository(directory);
    const alice = newSigner();
    await publish({ server, relay, source, alice, directory });
    await refuse({ server, alice, directory });
    if (OFFERS_PRS) await contribute({ server, relay, alice, directory });
  } finally {
    await relay.close();
    step("Stop the server");
    hold(await server.stop() === 0, "it stopped cleanly with exit code 0");
  }
}

interface Stage {
  readonly server: ServerProcess;
  readonly relay: RelayClient;
  readonly source: string;
  readonly alice: Signer;
  readonly directory: string;
}

const IDENTIFIER = "demo";
const OFFERS_PRS = Deno.env.get("NGIT_GRASP06_ENABLE") === "true";

async function publish({ server, relay, source, alice, directory }: Stage): Promise<void> {
  const { refs, head } = await readSource(source);
  const url = server.cloneUrl(alice.npub, IDENTIFIER);

  step("Make a key and announce the repository (kind 30617)");
  tell(`alice is ${alice.npub}`);
  const announcement = announce(alice, IDENTIFIER, { domain: server.domain });
  const announced = await relay.publish(announcement);
  tell(`OK ${announced.accepted} "${announced.message}"`);
  hold(
    announced.accepted && announced.message.startsWith("purgatory:"),
    "the announcement is held until git data arrives",
  );
  hold((await relay.query({ ids: [announcement.id] })).length === 0, "the announcement is not served yet");

  step("Publish the state (kind 30618): which commit every branch and tag is at");
  const state = declare(alice, IDENTIFIER, refs, { head });
  const declared = await relay.publish(state);
  tell(`OK ${declared.accepted} "${declared.message}" (${Object.keys(refs).length} refs, HEAD ${head})`);
  hold(declared.accepted && declared.message.startsWith("purgatory:"), "the state is held too");

  step(`git push: ${source} to ${url}`);
  const pushed = await tryGit(source, "push", url, "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*");
  tell(pushed.stderr);
  hold(pushed.code === 0, "git accepted the push without any password");
  const served = await relay.query({ kinds: [30617, 30618], authors: [alice.pubkey] });
  hold(
    [announcement.id, state.id].every((id) => served.some((event) => event.id === id)),
    "announcement and state are served now",
  );

  step("Clone it back and compare");
  const mirror = `${directory}/mirror.git`;
  await git(directory, "clone", "-q", "--mirror", url, mirror);
  hold(
    JSON.stringify(await refsOf(mirror)) === JSON.stringify(refs),
    `all ${Object.keys(refs).length} refs are equal`,
  );
  hold((await git(mirror, "symbolic-ref", "HEAD")) === head, `HEAD is ${head}`);
  const original = await tryGit(source, "fsck", "--full", "--no-dangling");
  const cloned = await tryGit(mirror, "fsck", "--full", "--no-dangling");
  if (original.code !== 0) tell(`git fsck of the original: ${original.stderr.split("\n")[0]}`);
  hold(
    cloned.code === 0 || cloned.code === original.code,
    "git fsck says the same of the clone as of the original",
  );
}

async function refuse(
  { server, alice, directory }: Pick<Stage, "server" | "alice" | "directory">,
): Promise<void> {
  const url = server.cloneUrl(alice.npub, IDENTIFIER);
  step("Push a commit that no signed state declares");
  const work = `${directory}/work`;
  await git(directory, "clone", "-q", url, work);
  const before = await git(work, "ls-remote", url);
  await commitFile(work, "not-declared.txt", "nobody signed for this\n");
  const refused = await tryGit(work, "push", url, "HEAD");
  tell(refused.stderr);
  hold(refused.code !== 0, "git reports the push as failed");
  hold(/\[remote rejected\][\s\S]*authorisation failed/.test(refused.stderr), "git prints the reason");
  hold(await git(work, "ls-remote", url) === before, "nothing changed on the server");
}

async function contribute({ server, relay, alice, directory }: Omit<Stage, "source">): Promise<void> {
  step("Offer a pull request without any right to write (GRASP-06)");
  const bob = newSigner();
  const path = `prs/${bob.npub}/${IDENTIFIER}.git`;
  tell(`bob is ${bob.npub}`);
  const work = `${directory}/work`;
  const commit = await commitFile(work, "by-bob.txt", "a contribution\n");
  const request = bob.sign({
    kind: 1618,
    tags: [
      ["a", `30617:${alice.pubkey}:${IDENTIFIER}`],
      ["c", commit],
      ["clone", `http://${server.domain}/${path}`],
    ],
    content: "please take this",
  });
  const ref = `refs/nostr/${request.id}`;
  const pushed = await tryGit(work, "push", `${server.httpUrl}/${path}`, `${commit}:${ref}`);
  tell(pushed.stderr);
  hold(pushed.code === 0, "git accepted the commits at bob's own path");
  const answer = await relay.publish(request);
  tell(`OK ${answer.accepted} "${answer.message}"`);
  hold(answer.accepted && answer.message === "", "the pull request is served at once: its commits are here");
  const listed = await git(work, "ls-remote", server.cloneUrl(alice.npub, IDENTIFIER), ref);
  hold(listed.startsWith(commit), "alice's repository shows it");
}

await play(demo);
