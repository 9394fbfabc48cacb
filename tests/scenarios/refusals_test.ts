import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { commitFile, git, refsOf, tryGit } from "../support/git_client.ts";
import {
  announced,
  declareAll,
  expectRefusal,
  hosted,
  isServed,
  processesMentioning,
  publish,
  remoteRefs,
  scene,
} from "./support.ts";

Deno.test("G-24 G-26 refused pushes show the reason per ref and change nothing", () =>
  scene(async (stage) => {
    const { directory, relay } = stage;
    const repository = await hosted(stage, "strict");
    const { work, url } = repository;
    const before = await remoteRefs(directory, url);
    await commitFile(work, "evil.txt", "not declared\n");

    const undeclared = await tryGit(work, "push", url, "main");
    ok(undeclared.code !== 0);
    match(
      undeclared.stderr,
      /remote rejected\] main -> main \(authorisation failed: .*refs\/heads\/main would be at/,
    );

    await declareAll(relay, repository, "purgatory:");
    await commitFile(work, "evil2.txt", "another\n");
    const wrong = await tryGit(work, "push", "--atomic", url, "main");
    ok(wrong.code !== 0);
    match(wrong.stderr, /1 state event in purgatory from authorized publisher but doesn't match push/);
    const stray = await tryGit(work, "push", url, "HEAD~1:refs/heads/main", "HEAD:refs/heads/stray");
    ok(stray.code !== 0);
    match(stray.stderr, /refs\/heads\/stray would exist at/);
    const notes = await tryGit(work, "push", url, "HEAD~1:refs/heads/main", "HEAD~1:refs/notes/x");
    ok(notes.code !== 0);
    match(notes.stderr, /only refs\/heads, refs\/tags and refs\/nostr are accepted/);
    deepStrictEqual(await remoteRefs(directory, url), before);
  }));

Deno.test("R-55 R-56 G-27 G-29 states by strangers are refused, and so are pushes that rely on them", () =>
  scene(async (stage) => {
    const { server, relay } = stage;
    const repository = await announced(stage, "mine");
    const mallory = newSigner();
    const refs = await refsOf(repository.work);
    await expectRefusal(relay, declare(mallory, "mine", refs), /^invalid: author not authorized/);
    await expectRefusal(relay, declare(mallory, "other", refs), /^invalid: no announcement exists/);
    await publish(relay, announce(mallory, "mine", { domain: server.domain }), "purgatory:");
    await publish(relay, declare(mallory, "mine", refs), "purgatory:");
    const push = await tryGit(repository.work, "push", repository.url, "main");
    ok(push.code !== 0);
    match(push.stderr, /none from authorized publishers/);
  }));

Deno.test("G-12 H-22 unknown repositories and traversal in the path are 404 and touch nothing", () =>
  scene(async (stage) => {
    const { server, directory } = stage;
    const { owner } = await announced(stage, "real");
    const secret = `${directory}/data/git/secret.git`;
    await git(directory, "init", "-q", "--bare", secret);
    const paths = [
      `/${newSigner().npub}/real.git`,
      `/${owner.npub}/unknown.git`,
      `/${owner.npub}/..%2Fsecret.git`,
      `/${owner.npub}/%2e%2e%2fsecret.git`,
      `/${owner.npub}/..%5csecret.git`,
      `/${owner.npub}/%252e%252e%252fsecret.git`,
      `/${owner.npub}/real.git%00`,
      `/${owner.pubkey}/real.git`,
      `/${owner.npub.toUpperCase()}/real.git`,
      `/${owner.npub}/real`,
      `/../secret.git`,
    ];
    for (const path of paths) {
      for (const service of ["git-upload-pack", "git-receive-pack"]) {
        const response = await fetch(`${server.httpUrl}${path}/info/refs?service=${service}`);
        ok(response.status === 404 || response.status === 400, `${path} answered ${response.status}`);
        ok(!(await response.text()).includes(directory));
      }
    }
  }));

Deno.test("R-4 R-5 R-18 R-76 bad events get one clear sentence and are not stored", () =>
  scene(async ({ relay, server }) => {
    const alice = newSigner();
    const good = announce(alice, "x", { domain: server.domain });
    const now = Math.floor(Date.now() / 1000);
    await expectRefusal(relay, { ...good, id: "0".repeat(64) }, /^invalid: event id does not match/);
    await expectRefusal(
      relay,
      { ...good, sig: newSigner().sign({ kind: 1 }).sig },
      /^invalid: bad signature/,
    );
    await expectRefusal(
      relay,
      announce(alice, "x", { domain: server.domain, created_at: now + 3600 }),
      /^invalid: created_at too far/,
    );
    await expectRefusal(
      relay,
      alice.sign({ kind: 1, content: "hello" }),
      /^blocked: Event event must reference/,
    );
    await expectRefusal(
      relay,
      alice.sign({ kind: 1, tags: [["expiration", "1"]] }),
      /^invalid: event expired/,
    );
    await expectRefusal(
      relay,
      announce(alice, "x", { domain: "elsewhere.example" }),
      /^blocked: .*clone.*relays/,
    );
    await expectRefusal(
      relay,
      announce(alice, "../x", { domain: server.domain }),
      /^invalid: Invalid identifier/,
    );
    deepStrictEqual(await relay.query({ authors: [alice.pubkey] }), []);
  }));

Deno.test("R-28 C-18 a domain that merely contains ours does not list the service", () =>
  scene(async ({ relay, server }) => {
    for (
      const domain of [`not-${server.domain}`, `${server.domain}.evil.net`, `evil.net/?${server.domain}`]
    ) {
      await expectRefusal(relay, announce(newSigner(), "x", { domain }), /must list service/);
    }
  }));

Deno.test("R-73 R-74 R-75 R-79 related events are accepted, in both directions and transitively", () =>
  scene(async (stage) => {
    const { relay } = stage;
    const { owner } = await hosted(stage, "linked");
    const bob = newSigner();
    const address = `30617:${owner.pubkey}:linked`;
    const issue = bob.sign({ kind: 1621, tags: [["a", address]], content: "it breaks" });
    const reply = bob.sign({ kind: 1111, tags: [["E", issue.id]], content: "me too" });
    const quoted = bob.sign({ kind: 1, content: "quoted later" });
    const quoting = bob.sign({ kind: 1, tags: [["e", reply.id], ["q", quoted.id]] });
    await expectRefusal(relay, reply, /must reference/);
    await publish(relay, issue, "");
    await publish(relay, reply, "");
    await expectRefusal(relay, quoted, /must reference/);
    await publish(relay, quoting, "");
    await publish(relay, quoted, "");
    await publish(relay, newSigner().sign({ kind: 10317, tags: [["g", "wss://x"]] }), "");
    ok(await isServed(relay, quoted.id));
  }));

Deno.test("G-67 after many refused pushes nothing is left behind", () =>
  scene(async (stage) => {
    const { directory, server } = stage;
    const { work, url, owner } = await announced(stage, "clean");
    for (let round = 0; round < 25; round++) ok((await tryGit(work, "push", url, "main")).code !== 0);
    deepStrictEqual(await processesMentioning(directory), []);
    const left: string[] = [];
    for await (const entry of Deno.readDir(`${directory}/data/git/${owner.npub}/clean.git/objects`)) {
      left.push(entry.name);
    }
    deepStrictEqual(left.filter((name) => name.startsWith("tmp_")), []);
    strictEqual(await (await fetch(`${server.httpUrl}/healthz`)).text(), '{"status":"ok"}');
  }));
