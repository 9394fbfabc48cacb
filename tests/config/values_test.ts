import assert from "node:assert/strict";
import { judgeCombinations } from "../../lib/config/combine.ts";
import { keyOf } from "../../lib/config/option.ts";
import { OPTION_NAMES, optionRow } from "../../lib/config/options.ts";
import { resolveOptions } from "../../lib/config/resolve.ts";
import { normaliseDomain } from "../../lib/nostr/mod.ts";
import { load, loadInvalid, loadValid, NPUB, NPUB_HEX } from "./support.ts";

/** Combination faults of some variables, whether this version supports them or not. */
async function exclusions(env: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const readTextFile = () => Promise.reject(new Deno.errors.NotFound());
  const resolution = await resolveOptions({
    flags: new Map(),
    envFile: undefined,
    env,
    readTextFile,
    cwd: "/srv",
  });
  return judgeCombinations(resolution, "/srv").problems.map((problem) => problem.message);
}

const X1 =
  "NGIT_ARCHIVE_GRASP_SERVICES cannot be used with NGIT_ARCHIVE_ALL=true. These options are mutually exclusive.";
const X2 =
  "NGIT_ARCHIVE_GRASP_SERVICES cannot be used with NGIT_ARCHIVE_WHITELIST. These options are mutually exclusive.";
const X3 =
  "NGIT_ARCHIVE_READ_ONLY=true requires either NGIT_ARCHIVE_ALL=true, NGIT_ARCHIVE_WHITELIST, or NGIT_ARCHIVE_GRASP_SERVICES to be set";
const X4 = "NGIT_REPOSITORY_WHITELIST cannot be used with NGIT_ARCHIVE_READ_ONLY=true.";

Deno.test("C-13 R-50 excluded combinations exit 1 with their exact text, all at once", async () => {
  const cases: readonly (readonly [Record<string, string>, readonly string[]])[] = [
    [{ NGIT_ARCHIVE_GRASP_SERVICES: "a.example", NGIT_ARCHIVE_ALL: "true" }, [X1]],
    [{ NGIT_ARCHIVE_GRASP_SERVICES: "a.example", NGIT_ARCHIVE_WHITELIST: NPUB }, [X2]],
    [{ NGIT_ARCHIVE_READ_ONLY: "true" }, [X3]],
    [{ NGIT_REPOSITORY_WHITELIST: NPUB, NGIT_ARCHIVE_ALL: "true" }, [X4]],
    [{ NGIT_ARCHIVE_GRASP_SERVICES: "a.example", NGIT_ARCHIVE_ALL: "true", NGIT_REPOSITORY_WHITELIST: "x" }, [
      X1,
      X4,
    ]],
  ];
  for (const [env, expected] of cases) {
    const { stderr, exitCode } = await loadInvalid({ env });
    for (const text of expected) assert.ok(stderr.includes(text), text);
    assert.equal(exitCode, 1);
    assert.equal((await exclusions(env)).length, expected.length);
  }
});

Deno.test("C-14 R-51 an archive whitelist makes the server read-only unless said otherwise", async () => {
  const archive = { NGIT_ARCHIVE_WHITELIST: NPUB };
  assert.deepEqual(await exclusions(archive), []);
  assert.match(
    (await exclusions({ ...archive, NGIT_REPOSITORY_WHITELIST: NPUB })).join(),
    /cannot be used with NGIT_ARCHIVE_READ_ONLY=true/,
  );
  const open = { ...archive, NGIT_REPOSITORY_WHITELIST: NPUB, NGIT_ARCHIVE_READ_ONLY: "false" };
  assert.deepEqual(await exclusions(open), []);
});

Deno.test("C-22 a database is a file or a server; its URL has no room for secrets, and repeats none", async () => {
  const judged = async (NGIT_DATABASE_URL: string, more: Record<string, string> = {}) =>
    (await loadValid({ env: { NGIT_DATABASE_URL, ...more } })).warnings;
  const token = { NGIT_DATABASE_AUTH_TOKEN: "hidden" };
  assert.deepEqual(await judged("file:/x/y.db"), []);
  assert.deepEqual(await judged("libsql://db.example", token), []);
  assert.deepEqual(await judged("https://db.example/", token), []);
  assert.deepEqual(await judged("http://127.0.0.1:8080", token), []);
  assert.match(
    (await judged("http://10.0.0.7:8080", token)).join(),
    /AUTH_TOKEN, is sent to 10.0.0.7 unencrypted/,
  );
  assert.match((await judged("file:/x/y.db", token)).join(), /NGIT_DATABASE_AUTH_TOKEN has no effect/);
  for (
    const secret of [
      "https://hidden@db.example",
      "https://db.example?authToken=hidden",
      "libsql://db.example#hidden",
    ]
  ) {
    const { stderr } = await loadInvalid({ env: { NGIT_DATABASE_URL: secret } });
    assert.match(stderr, /its token belongs into NGIT_DATABASE_AUTH_TOKEN/);
    assert.doesNotMatch(stderr, /hidden/);
  }
  const wrong: readonly Record<string, string>[] = [
    { NGIT_DATABASE_URL: "wss://db.example?authToken=hidden" },
    { NGIT_DATABASE_URL: "db.example?authToken=hidden" },
    { NGIT_DATABASE_AUTH_TOKEN: "hidden\nhidden" },
    { NGIT_DATABASE_AUTH_TOKEN: "hidden\u2603" },
  ];
  for (const env of wrong) {
    const { stderr } = await loadInvalid({ env });
    assert.match(stderr, /^error: invalid value for NGIT_DATABASE_\w+: expected .*\(from env\)$/);
    assert.doesNotMatch(stderr, /hidden/);
  }
});

Deno.test("C-22 the user of a URL that is refused is not repeated, wherever its scheme and its faults are", async () => {
  for (
    const url of ["user:hidden@relay.example", "wss://user:hid/den@relay.example", "ftp://u:hidden@a/b@c"]
  ) {
    for (const option of ["NGIT_SYNC_BOOTSTRAP_RELAY_URL", "NGIT_RELAY_ICON_URL"]) {
      const { stderr } = await loadInvalid({ env: { [option]: url } });
      assert.doesNotMatch(stderr, /user:|hid|den@/, url);
    }
  }
});

Deno.test("C-15 R-52 every bad list entry is named and stops the start", async () => {
  const { stderr } = await loadInvalid({
    env: { NGIT_REPOSITORY_WHITELIST: `${NPUB},npub1invalid,x/y,${NPUB}/a/b` },
  });
  assert.match(stderr, /Invalid npub in whitelist entry 'npub1invalid'/);
  assert.match(stderr, /Invalid whitelist entry 'x\/y'\. First part must be npub/);
  assert.match(stderr, /Invalid whitelist entry format 'npub1\w+\/a\/b'\. Expected 'npub\/identifier'/);
  assert.equal(stderr.split("\n").length, 3);
});

Deno.test("repository entries: owners, repositories and identifiers, percent-encoded and with hex keys", async () => {
  const text = `${NPUB}, ${NPUB}/My%2CRepo, some-id, ${NPUB_HEX.toUpperCase()}`;
  const config = await loadValid({ env: { NGIT_REPOSITORY_BLACKLIST: text } });
  assert.deepEqual(config.repositoryBlacklist, [
    { kind: "owner", pubkey: NPUB_HEX, text: NPUB },
    { kind: "repository", pubkey: NPUB_HEX, identifier: "My,Repo", text: `${NPUB}/My%2CRepo` },
    { kind: "identifier", identifier: "some-id", text: "some-id" },
    { kind: "owner", pubkey: NPUB_HEX, text: NPUB_HEX.toUpperCase() },
  ]);
});

Deno.test("C-16 the event blacklist takes npub and hex keys and refuses anything else", async () => {
  const { stderr } = await loadInvalid({ env: { NGIT_EVENT_BLACKLIST: "foo" } });
  assert.match(stderr, /Invalid event blacklist entry 'foo'/);
  const config = await loadValid({ env: { NGIT_EVENT_BLACKLIST: NPUB_HEX } });
  assert.deepEqual(config.eventBlacklist, [{ kind: "owner", pubkey: NPUB_HEX, text: NPUB_HEX }]);
});

Deno.test("C-17 a wrong domain is refused with the corrected value", async () => {
  const { stderr } = await loadInvalid({ env: { NGIT_DOMAIN: "https://git.example.org/" } });
  assert.match(stderr, /without a scheme; use 'git\.example\.org'/);
});

Deno.test("domains are brought to one form, the one announcements are compared with", async () => {
  const cases: readonly (readonly [string, string])[] = [
    ["Git.Example.ORG", "git.example.org"],
    ["localhost:7334", "localhost:7334"],
    ["[::1]:7334", "[::1]:7334"],
    ["git.example.org:443", "git.example.org"],
    ["git.example.org/", "git.example.org"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["192.0.2.7:8080", "192.0.2.7:8080"],
  ];
  for (const [text, expected] of cases) {
    const config = await loadValid({ env: { NGIT_DOMAIN: text } });
    assert.equal(config.domain, expected);
    assert.equal(normaliseDomain(config.domain), expected);
  }
  for (
    const text of [
      "a b",
      "u@h.example",
      "h.example/x",
      "h.example:0",
      "h.example:65536",
      "h.example:x",
      "0.0.0.0",
      "[::]:80",
      "127.1",
      "-a.example",
      "a..b",
      "a_b.example",
      "::1",
      "[::1",
      "a%41.example",
      "h.example:80:80",
    ]
  ) {
    assert.equal((await load({ env: { NGIT_DOMAIN: text } })).ok, false, text);
  }
});

Deno.test("C-30 a base delay of 0 and a maximum below the base are refused", async () => {
  assert.equal((await loadInvalid({ env: { NGIT_SYNC_BASE_BACKOFF_SECS: "0" } })).exitCode, 2);
  const { stderr, exitCode } = await loadInvalid({
    env: { NGIT_SYNC_BASE_BACKOFF_SECS: "60", NGIT_SYNC_MAX_BACKOFF_SECS: "30" },
  });
  assert.match(stderr, /NGIT_SYNC_MAX_BACKOFF_SECS must be at least/);
  assert.equal(exitCode, 1);
});

Deno.test("integers accept separators and stay within their range", async () => {
  assert.equal((await loadValid({ args: ["--max-push-bytes=1_000_000"] })).maxPushBytes, 1_000_000);
  for (
    const [name, value] of [
      ["NGIT_MAX_CONNECTIONS", "0"],
      ["NGIT_MAX_SUBID_LENGTH", "1025"],
      ["NGIT_MAX_PUSH_BYTES", "1e3"],
      ["NGIT_MAX_PUSH_BYTES", "-1"],
      ["NGIT_MAX_PUSH_BYTES", "99999999999999999999"],
    ] as const
  ) {
    const { stderr } = await loadInvalid({ env: { [name]: value } });
    assert.match(stderr, /expected an integer between/);
  }
});

Deno.test("addresses, paths and texts are checked; data paths must not contain each other", async () => {
  assert.deepEqual((await loadValid({ args: ["--bind-address=[::1]:80"] })).bindAddress, {
    hostname: "::1",
    port: 80,
  });
  for (const text of ["localhost:80", "127.0.0.1", "127.0.0.1:65536", "::1:80", "[::1%lo]:80"]) {
    assert.match((await loadInvalid({ args: [`--bind-address=${text}`] })).stderr, /expected IP:PORT/);
  }
  assert.match((await loadInvalid({ env: { NGIT_RELAY_NAME: "a\nb" } })).stderr, /control character/);
  assert.match((await loadInvalid({ env: { NGIT_GIT_DATA_PATH: "a\0" } })).stderr, /not a valid path/);
  const nested = { NGIT_GIT_DATA_PATH: "./data", NGIT_RELAY_DATA_PATH: "data/relay" };
  assert.match((await loadInvalid({ env: nested })).stderr, /must not lie inside each other/);
  await loadValid({ env: { ...nested, NGIT_DATABASE_BACKEND: "memory" } });
});

Deno.test("every problem is reported at once with option, value and source", async () => {
  const { problems } = await loadInvalid({
    args: ["--nonsense"],
    env: { NGIT_LOG_LEVEL: "loud", NGIT_DOMAIN: "a b" },
    dotenv: "\nNGIT_MAX_SUBSCRIPTIONS=none\n",
  });
  assert.deepEqual(problems.map((problem) => problem.source).toSorted(), [".env:2", "cli", "env", "env"]);
});

Deno.test("the default filter limit never exceeds the maximum", async () => {
  const config = await loadValid({ env: { NGIT_MAX_FILTER_LIMIT: "300" } });
  assert.equal(config.defaultFilterLimit, 300);
  assert.equal(config.warnings.length, 1);
});

Deno.test("the option table: keys are unique, defaults are valid and shown", () => {
  assert.equal(new Set(OPTION_NAMES.map(keyOf)).size, OPTION_NAMES.length);
  for (const name of OPTION_NAMES) {
    const row = optionRow(name);
    if (row.default === undefined) continue;
    const parsed = row.kind.parse(row.default, name);
    assert.ok(parsed.ok && parsed.warnings.length === 0, name);
  }
});
