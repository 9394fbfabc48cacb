import assert from "node:assert/strict";
import { ProcessGate } from "../../lib/git/process_gate.ts";
import {
  type ConfigInput,
  formatProblems,
  LiveConfig,
  loadConfig,
  OPTION_NAMES,
  reloadConfig,
  type ReloadedConfig,
  type RunningConfig,
} from "../../lib/config/mod.ts";
import { keyOf } from "../../lib/config/option.ts";
import { optionRow } from "../../lib/config/options.ts";
import { curationRules } from "../../lib/policy/mod.ts";
import { TokenBucket } from "../../lib/relay/token_bucket.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { NPUB } from "./support.ts";

interface Sources {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dotenv?: string;
}

function inputOf({ args = [], env = {}, dotenv }: Sources): ConfigInput {
  const readTextFile = () =>
    dotenv === undefined ? Promise.reject(new Deno.errors.NotFound()) : Promise.resolve(dotenv);
  return { args, env, cwd: "/srv/grasp", readTextFile };
}

async function start(sources: Sources): Promise<RunningConfig> {
  const loaded = await loadConfig(inputOf(sources));
  if (!loaded.ok) assert.fail(formatProblems(loaded.problems));
  return loaded;
}

/** Starts with one `.env` text and reloads with another. */
async function reload(before: string, after: string, more: Sources = {}): Promise<ReloadedConfig> {
  return await reloadConfig(await start({ ...more, dotenv: before }), inputOf({ ...more, dotenv: after }));
}

function applied(reloaded: ReloadedConfig): Extract<ReloadedConfig, { ok: true }> {
  if (!reloaded.ok) assert.fail(formatProblems(reloaded.problems));
  return reloaded;
}

/** Another value than the default, for every option that may change while the server runs. */
const SAMPLES: Readonly<Record<string, string>> = {
  NGIT_DOMAIN_ALIASES: "alias.example",
  NGIT_OWNER_NPUB: NPUB,
  NGIT_RELAY_NAME: "Name",
  NGIT_RELAY_DESCRIPTION: "Text",
  NGIT_RELAY_CONTACT: "mailto:a@b.example",
  NGIT_RELAY_ICON_URL: "https://i.example/",
  NGIT_RELAY_POSTING_POLICY: "https://a.example/",
  NGIT_RELAY_PRIVACY_POLICY: "https://b.example/",
  NGIT_RELAY_TERMS_OF_SERVICE: "https://c.example/",
  NGIT_REPO_ACCEPTANCE_CRITERIA: "friends",
  NGIT_CURATION: "by hand",
  NGIT_TRUSTED_PROXIES: "10.0.0.0/8",
  NGIT_MIN_FREE_DISK_MB: "1",
  NGIT_METRICS_CONNECTION_PER_IP_ABUSE_THRESHOLD: "3",
  NGIT_METRICS_TOP_N_REPOS: "3",
  NGIT_METRICS_ALLOW_FROM: "none",
  NGIT_LOG_LEVEL: "git=debug",
  NGIT_LOG_IP: "none",
  NGIT_MAX_CONNECTIONS: "7",
  NGIT_MAX_CONNECTIONS_PER_IP: "7",
  NGIT_MAX_SUBSCRIPTIONS: "7",
  NGIT_MAX_EVENTS_PER_MINUTE: "7",
  NGIT_MAX_SUBID_LENGTH: "7",
  NGIT_DEFAULT_FILTER_LIMIT: "77",
  NGIT_MAX_FILTER_LIMIT: "777",
  NGIT_MAX_FILTERS_PER_REQ: "7",
  NGIT_MAX_EVENT_FUTURE_SECS: "901",
  NGIT_MAX_NEGENTROPY_ITEMS: "1001",
  NGIT_MAX_PUSH_BYTES: "7",
  NGIT_GRASP06_MAX_PUSH_BYTES: "7",
  NGIT_GRASP06_MAX_REFS_PER_PUSH: "7",
  NGIT_GRASP06_PUSHES_PER_MINUTE: "7",
  NGIT_GRASP06_MAX_TOTAL_BYTES: "7",
  NGIT_GRASP06_MAX_BYTES_PER_SUBMITTER: "7",
  NGIT_GRASP06_UNCLAIMED_TTL_SECS: "7",
  NGIT_MAX_GIT_PROCESSES: "7",
  NGIT_PACK_CACHE_MB: "7",
  NGIT_GIT_TIMEOUT_SECS: "77",
  NGIT_REPOSITORY_WHITELIST: "one",
  NGIT_ARCHIVE_WHITELIST: "one",
  NGIT_ARCHIVE_GRASP_SERVICES: "other.example",
  NGIT_REPOSITORY_BLACKLIST: "one",
  NGIT_EVENT_BLACKLIST: NPUB,
  NGIT_RESTRICT_DELETION_REQUESTS: "true",
  NGIT_AUDIT_CLEANUP_ENABLED: "false",
  NGIT_AUDIT_CLEANUP_INTERVAL_SECS: "60",
  NGIT_AUDIT_CLEANUP_AGE_SECS: "60",
  NGIT_GIT_MAINTENANCE_ENABLED: "false",
  NGIT_GIT_MAINTENANCE_INTERVAL_HOURS: "1",
  NGIT_GIT_FSCK_INTERVAL_DAYS: "1",
  NGIT_DELETED_REPO_RETENTION_SECS: "60",
  NGIT_OPEN_GRASP_LISTS: "false",
};

Deno.test("C-42 every reloadable option changes what parts read from the running configuration, and no other does", async () => {
  const reloadable = OPTION_NAMES.filter((name) => optionRow(name).reloadable);
  assert.deepEqual(Object.keys(SAMPLES).toSorted(), reloadable.toSorted());
  for (const name of reloadable) {
    const running = await start({ dotenv: "" });
    const live = new LiveConfig(running.config);
    const read = (): unknown => Reflect.get(live.view, keyOf(name));
    const old = read();
    const reloaded = applied(await reloadConfig(running, inputOf({ dotenv: `${name}=${SAMPLES[name]}` })));
    assert.deepEqual(reloaded.changes.map((change) => [change.name, change.applied]), [[name, true]]);
    live.replace(reloaded.running.config);
    assert.notDeepEqual(read(), old, name);
  }
});

Deno.test("C-43 options read only at start keep their value and are reported with every reload", async () => {
  const dotenv = "NGIT_DOMAIN=b.example\nNGIT_RELAY_OWNER_NSEC=" + "2".repeat(64);
  const running = await start({ dotenv: "NGIT_DOMAIN=a.example\nNGIT_RELAY_OWNER_NSEC=" + "1".repeat(64) });
  const once = applied(await reloadConfig(running, inputOf({ dotenv })));
  const twice = applied(await reloadConfig(once.running, inputOf({ dotenv })));
  for (const { running: { config }, changes } of [once, twice]) {
    assert.deepEqual([config.domain, config.relayName], ["a.example", "a.example grasp relay"]);
    assert.deepEqual(changes.map(({ name, applied }) => [name, applied]), [
      ["NGIT_DOMAIN", false],
      ["NGIT_RELAY_OWNER_NSEC", false],
    ]);
    assert.doesNotMatch(JSON.stringify(changes), /[12]{64}/);
  }
});

Deno.test("C-42 one wrong value rejects the whole reload with every problem", async () => {
  const refused = await reload("", "NGIT_RELAY_NAME=x\nNGIT_MAX_SUBSCRIPTIONS=0\nNGIT_EVENT_BLACKLIST=foo");
  assert.ok(!refused.ok);
  assert.match(formatProblems(refused.problems), /NGIT_MAX_SUBSCRIPTIONS[\s\S]*foo/);
  for (const broken of ["no equals sign", "NGIT_RELAY_NAME='open"]) {
    assert.ok(!(await reload("", broken)).ok, broken);
  }
});

Deno.test("C-42 C-15 lists are read as strictly as at start, whatever a reload says about lenience", async () => {
  const list = `NGIT_REPOSITORY_WHITELIST=npub1invalid,a`;
  const refused = await reload("", `NGIT_LENIENT_LISTS=true\n${list}`);
  assert.ok(!refused.ok);
  assert.match(formatProblems(refused.problems), /Invalid npub in whitelist entry 'npub1invalid'/);
  const { running, changes } = applied(await reload("NGIT_LENIENT_LISTS=true", list));
  assert.deepEqual(running.config.repositoryWhitelist.map(({ text }) => text), ["a"]);
  assert.deepEqual(changes.map(({ name, applied }) => [name, applied]), [
    ["NGIT_REPOSITORY_WHITELIST", true],
    ["NGIT_LENIENT_LISTS", false],
  ]);
});

Deno.test("C-42 a change that is valid only together with options read at start is refused whole", async () => {
  const refused = await reload(
    "NGIT_ARCHIVE_WHITELIST=one",
    "NGIT_ARCHIVE_WHITELIST=one\nNGIT_ARCHIVE_READ_ONLY=false\nNGIT_REPOSITORY_WHITELIST=two",
  );
  assert.ok(!refused.ok);
  assert.match(
    formatProblems(refused.problems),
    /NGIT_REPOSITORY_WHITELIST cannot be used .*restart required/,
  );
});

Deno.test("C-42 flags and the environment stay above the file that is read again", async () => {
  const sources = { args: ["--relay-name=flag"], env: { NGIT_RELAY_DESCRIPTION: "environment" } };
  const after = "NGIT_RELAY_NAME=file\nNGIT_RELAY_DESCRIPTION=file\nNGIT_CURATION=file";
  const { changes, running } = applied(await reload("", after, sources));
  assert.deepEqual(changes.map(({ name, from, to }) => [name, from, to]), [["NGIT_CURATION", "-", "file"]]);
  assert.equal(running.config.relayName, "flag");
});

Deno.test("a change in the part of a list that is not shown is still reported", async () => {
  const { changes } = applied(
    await reload("NGIT_REPOSITORY_BLACKLIST=a,b,c,d", "NGIT_REPOSITORY_BLACKLIST=a,b,c,e"),
  );
  assert.deepEqual(changes.map(({ to }) => to), ["4: a, b, c, ... (changed)"]);
});

Deno.test("what is derived from a running configuration is made once per configuration", async () => {
  const { config } = await start({});
  const live = new LiveConfig(config);
  let made = 0;
  const rules = live.derive((present) => {
    made++;
    return curationRules(present);
  });
  assert.deepEqual([rules.eventBlacklist.size, rules.archive.readOnly, made], [0, false, 1]);
  const next = applied(await reload("", `NGIT_EVENT_BLACKLIST=${NPUB}\nNGIT_ARCHIVE_WHITELIST=x`));
  live.replace(next.running.config);
  assert.deepEqual([rules.eventBlacklist.size, rules.archive.readOnly, made], [1, true, 2]);
});

Deno.test("C-42 limits that are counted over time follow their option: messages per minute, git processes", async () => {
  const clock = new VirtualClock();
  let perMinute = 1;
  const bucket = new TokenBucket(() => perMinute, clock);
  assert.deepEqual([bucket.take(), bucket.take()], [true, false]);
  perMinute = 60;
  await clock.advance(2_000);
  assert.deepEqual([bucket.take(), bucket.take(), bucket.take()], [true, true, false]);

  let places = 1;
  const gate = new ProcessGate(() => places, 30_000, clock);
  const first = await gate.enter();
  const waiting = [gate.enter(), gate.enter()];
  places = 2;
  first!();
  const leave = await Promise.all(waiting);
  assert.equal(gate.active, 2);
  places = 1;
  const last = gate.enter();
  leave[0]!();
  assert.deepEqual([gate.active, gate.waiting], [1, 1]);
  leave[1]!();
  (await last)!();
  assert.equal(gate.active, 0);
});
