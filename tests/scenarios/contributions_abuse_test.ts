import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { encodePushCommands } from "../../lib/git/push_commands.ts";
import { newSigner } from "../support/keys.ts";
import { commitFile, git, packOf, tryGit } from "../support/git_client.ts";
import { eventually } from "../support/temp.ts";
import {
  type Contribution,
  contribution,
  contributionsOnDisk,
  propose,
  pushTo,
  urlOf,
} from "./contribution_support.ts";
import { isServed, publish, remoteRefs } from "./support.ts";

const ID = "ab".repeat(32);
const idOf = (n: number) => n.toString(16).padStart(64, "0");

/** The head of a push that creates these refs at `oid`. */
function pushHead(refs: readonly string[], oid: string): Uint8Array<ArrayBuffer> {
  const commands = refs.map((ref) => ({ ref, oldOid: "0".repeat(40), newOid: oid }));
  const capabilities = new Set(["report-status"]);
  const push = { kind: "push", commands, capabilities, shallow: [], rest: new Uint8Array() } as const;
  return new Uint8Array(encodePushCommands(push, commands));
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

async function nothingLeft({ directory }: Pick<Contribution, "directory">): Promise<void> {
  await eventually("nothing is left", async () => (await contributionsOnDisk(directory)).length === 0);
}

Deno.test("X-8 X-9 X-10 X-11 every other ref, and every deletion, is refused with a reason and leaves no directory", () =>
  contribution(async (stage) => {
    const { server, directory, signer, work, commit } = stage;
    const url = urlOf(server, signer);
    for (
      const [refs, reason] of [
        [["refs/heads/main"], /GRASP-06: only pushes to refs\/nostr\/<event-id> are accepted \(ref refs\/he/],
        [["refs/nostr/not-a-valid-event-id"], /GRASP-06: .* is 20 chars, expected 64/],
        [[`refs/nostr/${ID.slice(1)}`], /GRASP-06: .* is 63 chars, expected 64/],
        [[`refs/nostr/${ID.toUpperCase()}`], /GRASP-06: .* is not lowercase hex/],
        [[`refs/nostr/${ID}`, "refs/heads/x"], /GRASP-06: refused because another ref in this push/],
      ] as const
    ) {
      const { code, stderr } = await tryGit(work, "push", url, ...refs.map((ref) => `${commit}:${ref}`));
      strictEqual(code, 1, stderr);
      match(stderr, reason);
    }
    const body = pushHead(["refs/heads/main"], commit);
    const answer = await fetch(`${url}/git-receive-pack`, { method: "POST", body });
    strictEqual(answer.status, 200);
    match(await answer.text(), /ng refs\/heads\/main GRASP-06: /);
    deepStrictEqual(await contributionsOnDisk(directory), []);

    strictEqual((await pushTo(work, url, ID, commit)).code, 0);
    const deleted = await tryGit(work, "push", url, `:refs/nostr/${ID}`);
    match(deleted.stderr, /GRASP-06: deleting refs\/nostr\/ refs is not allowed/);
    deepStrictEqual(await remoteRefs(work, url), { [`refs/nostr/${ID}`]: commit });
  }));

Deno.test("X-5 identifiers that lead elsewhere are 404 for reads and pushes, and create nothing anywhere", () =>
  contribution(async (stage) => {
    const { server, directory, signer, work, commit } = stage;
    const before = await names(`${directory}/data`);
    const pack = await packOf(work, commit);
    for (
      const name of [
        "%2e%2e%2fevil",
        "%2e%2e%2f%2e%2e%2fevil",
        "..%5cevil",
        "a%00b",
        "%2e%2e",
        "..%2f..%2f..%2fevil",
        "%2fevil",
      ]
    ) {
      const path = `/prs/${signer.npub}/${name}.git`;
      // Written by hand: URL parsers tidy such paths before they are sent.
      strictEqual(
        await rawStatus(server.port, "GET", `${path}/info/refs?service=git-upload-pack`),
        404,
        path,
      );
      strictEqual(await rawStatus(server.port, "GET", `${path}/info/refs?service=git-receive-pack`), 404);
      strictEqual(await rawStatus(server.port, "POST", `${path}/git-upload-pack`, new Uint8Array(4)), 404);
      const body = joined(pushHead([`refs/nostr/${ID}`], commit), pack);
      strictEqual(await rawStatus(server.port, "POST", `${path}/git-receive-pack`, body), 404);
    }
    const dots = `/prs/${signer.npub}/../../evil.git/git-receive-pack`;
    ok(
      [404, 405].includes(await rawStatus(server.port, "POST", dots, pushHead([`refs/nostr/${ID}`], commit))),
    );
    deepStrictEqual(await names(`${directory}/data`), before);
    deepStrictEqual((await names(directory)).filter((name) => name.includes("evil")), []);
  }));

Deno.test("X-37 a push of 1,000 refs is refused with a reason before the disk is touched", () =>
  contribution(async (stage) => {
    const { server, directory, signer, work, commit } = stage;
    const refs = Array.from({ length: 1_000 }, (_, n) => `${commit}:refs/nostr/${idOf(n)}`);
    const { code, stderr } = await tryGit(work, "push", urlOf(server, signer), ...refs);
    strictEqual(code, 1);
    match(stderr, /GRASP-06: too many refs in one push \(1000, at most 16\)/);
    deepStrictEqual(await contributionsOnDisk(directory), []);
    const few = refs.slice(0, 16);
    strictEqual((await tryGit(work, "push", "-q", urlOf(server, signer), ...few)).code, 0);
  }));

Deno.test("X-37 a push above the size is refused and leaves nothing; so are pushes above the rate", () =>
  contribution(async (stage) => {
    const { server, signer, work, commit } = stage;
    const url = urlOf(server, signer);
    const noise = crypto.getRandomValues(new Uint8Array(60_000));
    const large = await commitFile(work, "noise.bin", noise);
    const refused = await pushTo(work, url, ID, large);
    strictEqual(refused.code !== 0, true);
    match(refused.stderr, /exceeds maximum allowed size|413|too large/);
    await nothingLeft(stage);
    const whole = joined(pushHead([`refs/nostr/${ID}`], large), await packOf(work, large));
    const declared = await fetch(`${url}/git-receive-pack`, { method: "POST", body: whole });
    await declared.body?.cancel();
    strictEqual(declared.status, 413);
    await nothingLeft(stage);

    strictEqual((await pushTo(work, url, ID, commit)).code, 0);
    strictEqual((await pushTo(work, url, idOf(1), commit)).code, 0);
    let last = await pushTo(work, url, idOf(2), commit);
    for (let n = 3; last.code === 0 && n < 10; n++) last = await pushTo(work, url, idOf(n), commit);
    match(last.stderr, /GRASP-06: too many pushes, try again in a minute/);
  }, { NGIT_GRASP06_MAX_PUSH_BYTES: "20000", NGIT_GRASP06_PUSHES_PER_MINUTE: "5" }));

Deno.test("X-34 a truncated pack and a client that leaves: no ref, no placeholder, no directory", () =>
  contribution(async (stage) => {
    const { server, relay, signer, work, commit } = stage;
    const url = urlOf(server, signer);
    const pr = propose(server, signer, commit);
    const head = pushHead([`refs/nostr/${pr.id}`], commit);
    const pack = await packOf(work, commit);
    const half = joined(head, pack.slice(0, pack.length / 2));
    const answer = await fetch(`${url}/git-receive-pack`, { method: "POST", body: half });
    const text = await answer.text();
    ok(!text.includes(`ok refs/nostr/${pr.id}`), text);
    await nothingLeft(stage);

    const socket = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    // A short body would be waited for before anything begins.
    const request = `POST /prs/${signer.npub}/repo.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n` +
      `Content-Length: ${1 << 20}\r\n\r\n`;
    await socket.write(new TextEncoder().encode(request));
    await socket.write(half);
    await eventually(
      "the push is running",
      async () => (await contributionsOnDisk(stage.directory)).includes(`${signer.pubkey}/repo.git`),
    );
    socket.close();
    await nothingLeft(stage);
    deepStrictEqual(await remoteRefs(work, url), {});
    await publish(relay, pr, "purgatory:");
    ok(!await isServed(relay, pr.id));
  }));

Deno.test("X-32 ten pushes to one path at once all succeed, and nothing is lost", () =>
  contribution(async ({ server, directory, signer, work, commit }) => {
    const url = urlOf(server, signer);
    const clones = await Promise.all(Array.from({ length: 10 }, async (_, n) => {
      const copy = `${directory}/clone-${n}`;
      await git(directory, "clone", "-q", work, copy);
      return { copy, tip: await commitFile(copy, `file-${n}.txt`, `${n}\n`) };
    }));
    const failing = tryGit(work, "push", url, `${commit}:refs/heads/x`);
    const pushed = await Promise.all(clones.map(({ copy, tip }, n) => pushTo(copy, url, idOf(n), tip)));
    await failing;
    for (const { code, stderr } of pushed) strictEqual(code, 0, stderr);
    deepStrictEqual(
      await remoteRefs(work, url),
      Object.fromEntries(clones.map(({ tip }, n) => [`refs/nostr/${idOf(n)}`, tip])),
    );
  }));

Deno.test("X-21 nobody can push somebody else's pull request to a path of their own", () =>
  contribution(async (stage) => {
    const { server, relay, directory, signer, work, commit } = stage;
    const pr = propose(server, signer, commit);
    await publish(relay, pr, "purgatory:");
    const thief = newSigner();
    const stolen = await pushTo(work, urlOf(server, thief), pr.id, commit);
    match(stolen.stderr, /GRASP-06: PR event .* is signed by .* which does not match/);
    const elsewhere = await pushTo(work, urlOf(server, signer, "other"), pr.id, commit);
    match(elsewhere.stderr, /a-tag identifier repo which does not match \/prs\/ identifier other/);
    deepStrictEqual(await contributionsOnDisk(directory), []);
  }));

/** Names of everything below a directory. */
async function names(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    found.push(`${path}/${name}`);
    if (isDirectory && name !== "contributor") found.push(...await names(`${path}/${name}`));
  }
  return found.sort();
}

/** Sends a request with exactly this path; the status of the answer. */
async function rawStatus(port: number, method: string, path: string, body?: Uint8Array): Promise<number> {
  const socket = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    const length = body ? `Content-Length: ${body.length}\r\n` : "";
    await socket.write(
      new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}\r\n`),
    );
    if (body) await socket.write(body);
    const buffer = new Uint8Array(64);
    const count = await socket.read(buffer) ?? 0;
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(new TextDecoder().decode(buffer.subarray(0, count)))?.[1]);
  } finally {
    socket.close();
  }
}
