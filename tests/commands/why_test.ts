import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { neventEncode, noteEncode } from "nostr-tools/nip19";
import { openBeside } from "../../lib/commands/beside.ts";
import { explain } from "../../lib/commands/why/mod.ts";
import { type WhyReport } from "../../lib/commands/why/report.ts";
import { type ConfigInput, loadConfig } from "../../lib/config/mod.ts";
import { encodeNpub, type NostrEvent } from "../../lib/nostr/mod.ts";
import { contributing, offer, placeOf, propose } from "../purgatory/contribution_support.ts";
import { announced, declareAll, hosted, publish, pushAll, scene } from "../scenarios/support.ts";
import { DOMAIN, type Engine, engine } from "../support/engine.ts";
import { commitFile, newWorkTree, refsOf } from "../support/git_client.ts";
import { announce, declare, newSigner } from "../support/keys.ts";
import { runProgram } from "./support.ts";

/** Asks `why` about the data of an engine. */
async function ask({ directory, clock }: Engine, word: string, env: ConfigInput["env"] = {}) {
  const loaded = await loadConfig({
    args: [],
    env: {
      NGIT_DOMAIN: DOMAIN,
      NGIT_GIT_DATA_PATH: `${directory}/git`,
      NGIT_RELAY_DATA_PATH: `${directory}/relay`,
      NGIT_DATABASE_URL: `file:${directory}/relay.db`,
      ...env,
    },
    readTextFile: () => Promise.reject(new Deno.errors.NotFound()),
    cwd: directory,
  });
  ok(loaded.ok);
  const data = await openBeside(loaded.config, { cwd: directory, env: Deno.env.toObject() }, clock);
  try {
    return await explain(data, word);
  } finally {
    await data.close();
  }
}

async function askAbout(self: Engine, event: unknown, env?: ConfigInput["env"]): Promise<WhyReport> {
  const path = `${self.directory}/asked.json`;
  await Deno.writeTextFile(path, JSON.stringify(event));
  return await ask(self, path, env);
}

Deno.test("why gives the answer the server then gives, in the same words, and changes nothing", () =>
  engine(async (self) => {
    const [owner, maintainer, stranger] = [newSigner(), newSigner(), newSigner()];
    const now = Math.floor(self.clock.now() / 1000);
    const work = await newWorkTree(`${self.directory}/work`);
    const refs = await refsOf(work);
    const at = (created_at: number) => ({ created_at });
    const announcement = announce(owner, "proj", {
      domain: DOMAIN,
      maintainers: [maintainer.pubkey],
      ...at(now),
    });
    const state = declare(owner, "proj", refs, at(now));
    const cases: readonly NostrEvent[] = [
      state, // an orphan still
      announce(stranger, "elsewhere", { domain: "elsewhere.example", ...at(now) }),
      announce(stranger, "proj/x", { domain: DOMAIN, ...at(now) }),
      announcement,
      announcement, // once more, while it waits
      { ...state, content: "changed" },
      { ...state, sig: "0".repeat(128) },
      declare(stranger, "proj", refs, at(now)),
      declare(maintainer, "proj", { "refs/heads/main": "1".repeat(40) }, at(now - 10)),
      state,
      announce(maintainer, "proj", { domain: "elsewhere.example", ...at(now) }),
      stranger.sign({
        kind: 1621,
        content: "lost",
        tags: [["a", "30617:" + "1".repeat(64) + ":no"]],
        ...at(now),
      }),
      stranger.sign({ kind: 1621, content: "late", tags: [["expiration", String(now - 5)]], ...at(now) }),
      stranger.sign({ kind: 1621, content: "early", ...at(now + 999_999) }),
      stranger.sign({ kind: 1621, content: "secret", tags: [["-"]], ...at(now) }),
      owner.sign({ kind: 1618, tags: [["a", `30617:${owner.pubkey}:proj`]], ...at(now) }),
      stranger.sign({ kind: 5, tags: [["e", "2".repeat(64)]], ...at(now) }),
    ];
    const compare = async (event: NostrEvent) => {
      const before = JSON.stringify(await self.store.waitingCounts());
      const report = await askAbout(self, event);
      strictEqual(JSON.stringify(await self.store.waitingCounts()), before);
      const answer = await self.submit(event);
      deepStrictEqual([report.ok, report.message ?? ""], [answer.accepted, answer.message]);
      if (!report.ok) ok(report.findings.some(({ status }) => status === "no"), String(report.message));
    };
    for (const event of cases) await compare(event);

    strictEqual(await self.push(work, owner.pubkey, "proj", Object.keys(refs)), "");
    ok(await self.isServed(state.id));
    await commitFile(work, "more", "more\n");
    const commit = (await refsOf(work))["refs/heads/main"]!;
    const pull = (c: string) =>
      stranger.sign({ kind: 1618, tags: [["a", `30617:${owner.pubkey}:proj`], ["c", c]], ...at(now) });
    const issue = stranger.sign({ kind: 1621, tags: [["a", `30617:${owner.pubkey}:proj`]], ...at(now) });
    const afterwards: readonly NostrEvent[] = [
      state,
      declare(owner, "proj", refs, at(now - 100)), // older
      declare(owner, "proj", {}, at(now + 1)),
      pull(commit),
      pull(refs["refs/heads/main"]!),
      issue,
      issue,
      announce(owner, "proj", { domain: DOMAIN, ...at(now + 1) }),
      owner.sign({ kind: 5, tags: [["a", `30617:${owner.pubkey}:proj`]], ...at(now + 2) }),
      announce(owner, "proj", { domain: DOMAIN, ...at(now + 2) }),
      announce(owner, "proj", { domain: DOMAIN, ...at(now + 3) }),
    ];
    for (const event of afterwards) await compare(event);
    await compare({ ...announcement, kind: -1 });
  }));

Deno.test("why names the list of an operator that refuses an event", () =>
  engine(async (self) => {
    const owner = newSigner();
    const event = announce(owner, "proj", {
      domain: DOMAIN,
      created_at: Math.floor(self.clock.now() / 1000),
    });
    const cases = [
      [{ NGIT_EVENT_BLACKLIST: owner.npub }, /^blocked: Event author .* is blacklisted$/],
      [{ NGIT_REPOSITORY_BLACKLIST: "proj" }, /^blocked: Repository identifier proj is blacklisted$/],
      [{ NGIT_REPOSITORY_WHITELIST: "other" }, /does not match repository whitelist/],
    ] as const;
    for (const [env, expected] of cases) {
      const report = await askAbout(self, event, env);
      match(report.message ?? "", expected);
      strictEqual(report.ok, false);
    }
  }));

Deno.test("why finds ids that were refused, expired, deleted or retired", () =>
  engine(async (self) => {
    const [owner, stranger] = [newSigner(), newSigner()];
    const now = Math.floor(self.clock.now() / 1000);
    const refused = announce(stranger, "other", { domain: "elsewhere.example", created_at: now });
    await self.sync(refused);
    const report = await ask(self, refused.id);
    match(report.verdict, /^refused when another relay offered it; sent by a client it would be refused$/);
    ok(
      report.findings.some(({ topic, text }) =>
        topic === "refused" && text.includes("does_not_list_service")
      ),
    );

    const state = declare(owner, "proj", { "refs/heads/main": "1".repeat(40) }, { created_at: now });
    await self.submit(announce(owner, "proj", { domain: DOMAIN, created_at: now }));
    await self.submit(state);
    const waiting = await ask(self, state.id);
    strictEqual(waiting.verdict, "it waits in purgatory and is served once its git data arrives");
    deepStrictEqual(waiting.missing, [
      { repository: `${owner.npub}/proj`, ref: "refs/heads/main", oid: "1".repeat(40) },
    ]);
    strictEqual(waiting.waits?.until, self.clock.now() + 1_800_000);
    await self.clock.advance(1_900_000);
    await self.sweep.expire();
    const expired = await ask(self, state.id);
    strictEqual(expired.ok, false);
    ok(expired.findings.some(({ topic }) => topic === "expired"));

    const deletion = owner.sign({ kind: 5, tags: [["e", "3".repeat(64)]], created_at: now });
    await self.submit(deletion);
    const deleted = await ask(self, "3".repeat(64));
    ok(deleted.findings.some(({ topic, text }) => topic === "deletion" && text.includes(owner.pubkey)));
    strictEqual((await ask(self, deletion.id)).verdict, "it is served");
    for (const id of ["4".repeat(64), noteEncode("4".repeat(64)), neventEncode({ id: "4".repeat(64) })]) {
      match((await ask(self, id)).verdict, /knows nothing of this id/);
    }
  }));

Deno.test("why lists what a push to a repository must contain, and says when none is possible", () =>
  engine(async (self) => {
    const owner = newSigner();
    const name = `${owner.npub}/proj`;
    const unknown = await ask(self, name);
    strictEqual(unknown.ok, false);
    match(unknown.message ?? "", /No repository announcement found/);
    const now = Math.floor(self.clock.now() / 1000);
    await self.submit(announce(owner, "proj", { domain: DOMAIN, created_at: now }));
    match((await ask(self, name)).message ?? "", /No state events in purgatory/);
    const work = await newWorkTree(`${self.directory}/work`);
    const refs = await refsOf(work);
    await self.submit(declare(owner, "proj", refs, { created_at: now }));
    const open = await ask(self, name);
    ok(open.ok);
    match(open.verdict, /^a push that makes this change would be accepted$/);
    ok(open.findings.some(({ text }) => text === `refs/heads/main is created at ${refs["refs/heads/main"]}`));
    strictEqual(await self.push(work, owner.pubkey, "proj", Object.keys(refs)), "");
    match((await ask(self, name)).verdict, /publish a newer state before pushing more/);
    ok((await ask(self, name)).findings.some(({ text }) => text.includes(encodeNpub(owner.pubkey))));
  }));

Deno.test("why knows contributors' repositories, and commits whose event never came", () =>
  contributing(async (self, { signer, work, commit }) => {
    const env = { NGIT_GRASP06_ENABLE: "true" };
    const event = propose(signer, commit);
    const alone = await askAbout(self, event);
    match(alone.message ?? "", /^blocked: PR event must reference/);
    const welcome = await askAbout(self, event, env);
    const name = `prs/${signer.npub}/repo`;
    deepStrictEqual(
      [welcome.ok, welcome.message, welcome.missing],
      [true, "purgatory: won't be served until git data arrives", [
        { repository: name, ref: `refs/nostr/${event.id}`, oid: commit },
      ]],
    );
    strictEqual(await offer(self, work, placeOf(signer), event.id, commit), "");
    const pushed = await ask(self, event.id, env);
    strictEqual(pushed.verdict, "its commits were pushed, but the event itself was not published here");
    ok(pushed.findings.some(({ text }) => text === `commit ${commit} was pushed to ${name}`));
    const complete = await askAbout(self, event, env);
    strictEqual(complete.verdict, "sent by a client it would be accepted and served");
    const { accepted, message } = await self.submit(event);
    deepStrictEqual([complete.ok, complete.message ?? ""], [accepted, message]);
    strictEqual((await ask(self, event.id, env)).verdict, "it is served");
  }));

Deno.test("why runs beside the server that has the data, as text, JSON and exit code", () =>
  scene(async (stage) => {
    const repository = await announced(stage, "proj");
    const id = await declareAll(stage.relay, repository, "purgatory:");
    const data = {
      dataPath: `${stage.directory}/data`,
      env: { NGIT_DOMAIN: stage.server.domain },
    };
    const run = (...args: string[]) => runProgram(["why", ...args], data);
    const waiting = await run(id);
    strictEqual(waiting.code, 0, waiting.stderr);
    match(waiting.stdout, /^yes: it waits in purgatory/m);
    match(waiting.stdout, /^waits since .* until .* \(in \d+ min\)$/m);
    match(waiting.stdout, /^ {2}npub1\w+\/proj {2}refs\/heads\/main {2}[0-9a-f]{40}$/m);
    await pushAll(repository);
    const served = await run(id, "--format", "json");
    strictEqual(served.code, 0);
    strictEqual(JSON.parse(served.stdout).verdict, "it is served");
    // The server writes on undisturbed.
    await hosted(stage, "second");

    const foreign = announce(newSigner(), "x", { domain: "elsewhere.example" });
    const refused = await runProgram(["why", "-"], { ...data, stdin: JSON.stringify(foreign) });
    strictEqual(refused.code, 1);
    match(refused.stdout, /^the server says: blocked: Announcement must list service/m);
    match(refused.stdout, / has no repository on disk: once accepted it waits for its git data$/m);
    await publish(stage.relay, announce(newSigner(), "y", { domain: stage.server.domain }), "purgatory:");
    deepStrictEqual([(await run()).code, (await run(id, "--format=xml")).code], [2, 2]);
    const absent = await run("no-such-file");
    strictEqual(absent.code, 1);
    match(absent.stderr, /^error: no-such-file is no event id/);
  }));
