import assert from "node:assert/strict";
import { load, loadInvalid, loadValid, NPUB, NPUB_HEX } from "./support.ts";

Deno.test("decision 001: with no configuration at all the domain follows the loopback address", async () => {
  const config = await loadValid({});
  assert.equal(config.domain, "localhost:7334");
  assert.equal(config.publicScheme, "http");
  assert.equal(config.relayName, "localhost:7334 grasp relay");
  assert.deepEqual(config.bindAddress, { hostname: "127.0.0.1", port: 7334 });
  assert.deepEqual(config.warnings, []);
});

Deno.test("C-1 without a domain a server for everybody exits 2 and names --domain and NGIT_DOMAIN", async () => {
  const { stderr, exitCode } = await loadInvalid({ env: { NGIT_BIND_ADDRESS: "0.0.0.0:7334" } });
  assert.equal(exitCode, 2);
  assert.match(stderr, /--domain <DOMAIN>/);
  assert.match(stderr, /NGIT_DOMAIN/);
  assert.equal((await load({ env: { NGIT_DOMAIN: "", NGIT_BIND_ADDRESS: "127.0.0.1:1" } })).ok, false);
});

Deno.test("C-2 the command line wins over the environment, that over .env, that over the default", async () => {
  const args = ["--relay-name", "from cli"];
  const env = { NGIT_RELAY_NAME: "from env" };
  const dotenv = "NGIT_RELAY_NAME=from file\n";
  assert.equal((await loadValid({ args, env, dotenv })).relayName, "from cli");
  assert.equal((await loadValid({ env, dotenv })).relayName, "from env");
  assert.equal((await loadValid({ dotenv })).relayName, "from file");
  assert.equal((await loadValid({})).relayName, "localhost:7334 grasp relay");
});

Deno.test("C-3 a variable of the environment is not overridden by .env", async () => {
  const loaded = await load({ env: { NGIT_LOG_IP: "none" }, dotenv: "A=1\nNGIT_LOG_IP=full\nNGIT_TEST=1\n" });
  assert.ok(loaded.ok);
  assert.equal(loaded.config.logIp, "none");
  const origin = (name: string) => loaded.resolved.find((option) => option.name === name)?.sourceDetail;
  assert.equal(origin("NGIT_LOG_IP"), "env");
  assert.equal(origin("NGIT_TEST"), ".env:3");
});

Deno.test("C-4 .env of a parent directory is not read; --env-file is, and must exist", async () => {
  const files = { "/srv/.env": "NGIT_LOG_IP=none\n", "/etc/grasp.env": "NGIT_LOG_IP=full\n" };
  assert.equal((await loadValid({ files })).logIp, "truncated");
  assert.equal((await loadValid({ files, args: ["--env-file", "/etc/grasp.env"] })).logIp, "full");
  assert.equal((await loadValid({ files, env: { NGIT_ENV_FILE: "../.env" } })).logIp, "none");
  const { stderr, exitCode } = await loadInvalid({ files, args: ["--env-file=/etc/absent.env"] });
  assert.match(stderr, /cannot read \/etc\/absent\.env/);
  assert.equal(exitCode, 1);
});

Deno.test("C-5 a malformed .env line stops the start with file name and line number", async () => {
  const { stderr, exitCode } = await loadInvalid({
    dotenv: "NGIT_LOG_IP=full\n\nthis is not a setting secret\n",
  });
  assert.match(stderr, /\.env:3: expected KEY=VALUE/);
  assert.doesNotMatch(stderr, /secret/);
  assert.equal(exitCode, 1);
});

Deno.test("C-6 an unquoted value keeps inner spaces and loses its comment", async () => {
  const config = await loadValid({
    dotenv: "NGIT_RELAY_NAME=My GRASP Relay\nNGIT_LOG_LEVEL=INFO    # comment\n",
  });
  assert.equal(config.relayName, "My GRASP Relay");
  assert.deepEqual(config.logLevel, { fallback: "info", targets: new Map() });
});

Deno.test("C-7 every option of the reference given its documented default is accepted", async () => {
  const dotenv = [
    "NGIT_DOMAIN=relay.example.com",
    "NGIT_RELAY_NAME=My GRASP Relay",
    "NGIT_RELAY_DESCRIPTION=Git Nostr Relay - a grasp implementation",
    "NGIT_GIT_DATA_PATH=./data/git",
    "NGIT_RELAY_DATA_PATH=./data/relay",
    "NGIT_BIND_ADDRESS=127.0.0.1:7334",
    "NGIT_DATABASE_BACKEND=lmdb",
    "NGIT_METRICS_ENABLED=true",
    "NGIT_METRICS_CONNECTION_PER_IP_ABUSE_THRESHOLD=10",
    "NGIT_METRICS_TOP_N_REPOS=10",
    "NGIT_SYNC_BOOTSTRAP_RELAY_URL=",
    "NGIT_SYNC_MAX_BACKOFF_SECS=3600",
    "NGIT_SYNC_BASE_BACKOFF_SECS=5",
    "NGIT_SYNC_DISCONNECT_CHECK_INTERVAL_SECS=60",
    "NGIT_SYNC_DISABLE_NEGENTROPY=false",
    "NGIT_ARCHIVE_ALL=false",
    "NGIT_ARCHIVE_WHITELIST=",
    "NGIT_ARCHIVE_GRASP_SERVICES=",
    "NGIT_ARCHIVE_READ_ONLY=",
    "NGIT_REPOSITORY_WHITELIST=",
    "NGIT_REPOSITORY_BLACKLIST=",
    "NGIT_EVENT_BLACKLIST=",
    "NGIT_MAX_CONNECTIONS=",
    "NGIT_REJECTED_HOT_CACHE_DURATION_SECS=120",
    "NGIT_REJECTED_COLD_INDEX_EXPIRY_SECS=604800",
    "NGIT_NAUGHTY_LIST_EXPIRATION_HOURS=12",
    "NGIT_LOG_LEVEL=info",
    "NGIT_GRASP06_ENABLE=false",
  ].join("\n");
  const config = await loadValid({ dotenv });
  assert.equal(config.domain, "relay.example.com");
  assert.equal(config.maxConnections, undefined);
});

Deno.test("C-8 the settings of ngit-relay start with warnings only", async () => {
  const dotenv = `# Required
NGIT_DOMAIN=example.com # for ssl certificates
NGIT_RELAY_NAME="ngit-relay instance"
NGIT_OWNER_NPUB="${NPUB}"
NGIT_PROACTIVE_SYNC_GIT=true
NGIT_PROACTIVE_SYNC_BLOSSOM=true
NGIT_PROACTIVE_SYNC_NOSTR=false
NGIT_BLOSSOM_MAX_FILE_SIZE_MB=100
NGIT_BLOSSOM_MAX_CAPACITY_GB=50
NGIT_INTERNAL_RELAY_PORT_FOR_SSL_PROXY=8081 # used by the proxy
NGIT_LOG_DIR=/var/log/ngit-relay
NGIT_LOG_LEVEL=INFO # DEBUG, INFO, WARN, ERROR
NGIT_LOG_MAX_SIZE_MB=20
`;
  const config = await loadValid({ dotenv });
  assert.equal(config.ownerNpub, NPUB_HEX);
  assert.equal(config.syncEnable, false);
  assert.equal(config.warnings.filter((warning) => warning.startsWith("NGIT_")).length, 7);
  assert.ok(config.warnings.some((warning) => warning.includes("NGIT_BIND_ADDRESS=0.0.0.0:8081")));
});

Deno.test("C-9 an empty value is unset, except for lists, where it empties a lower layer", async () => {
  const config = await loadValid({
    env: {
      NGIT_ARCHIVE_READ_ONLY: "",
      NGIT_MAX_CONNECTIONS: "",
      NGIT_REPOSITORY_WHITELIST: "",
      NGIT_ARCHIVE_WHITELIST: "",
    },
    dotenv: `NGIT_REPOSITORY_WHITELIST=${NPUB}\nNGIT_ARCHIVE_WHITELIST=${NPUB}\nNGIT_MAX_CONNECTIONS=7\n`,
  });
  assert.equal(config.archiveReadOnly, undefined);
  assert.equal(config.maxConnections, 7);
  assert.deepEqual(config.repositoryWhitelist, []);
  assert.deepEqual(config.archiveWhitelist, []);
});

Deno.test("C-10 every way to switch metrics off works, and a wrong word exits 2", async () => {
  for (
    const args of [["--metrics-enabled=false"], ["--no-metrics-enabled"], ["--metrics-enabled", "false"]]
  ) {
    assert.equal((await loadValid({ args })).metricsEnabled, false);
  }
  for (const word of ["false", "FALSE", "0", "no", "off"]) {
    assert.equal((await loadValid({ env: { NGIT_METRICS_ENABLED: word } })).metricsEnabled, false);
  }
  assert.equal(
    (await loadValid({ args: ["--metrics-enabled"], env: { NGIT_METRICS_ENABLED: "no" } })).metricsEnabled,
    true,
  );
  const { stderr, exitCode } = await loadInvalid({ env: { NGIT_METRICS_ENABLED: "maybe" } });
  assert.equal(
    stderr,
    "error: invalid value 'maybe' for NGIT_METRICS_ENABLED: expected true or false (from env)",
  );
  assert.equal(exitCode, 2);
});

Deno.test("C-11 a switch takes its value as a separate word or after an equals sign", async () => {
  for (const args of [["--archive-read-only", "false"], ["--archive-read-only=false"]]) {
    assert.equal((await loadValid({ args })).archiveReadOnly, false);
  }
});

Deno.test("C-12 an unknown flag exits 2 with a suggestion, an unknown variable warns", async () => {
  const { stderr, exitCode } = await loadInvalid({ args: ["--domian=x.example"] });
  assert.match(stderr, /unexpected argument '--domian' found; a similar one exists: '--domain'/);
  assert.equal(exitCode, 2);
  const config = await loadValid({ env: { NGIT_RELAY_NAMEE: "x", OTHER: "y" } });
  assert.deepEqual(config.warnings, [
    "unknown variable NGIT_RELAY_NAMEE is ignored; did you mean NGIT_RELAY_NAME?",
  ]);
});

Deno.test("the command line: repeated scalars, missing values, stray words and missing commands are usage errors", async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["--log-ip", "none", "--log-ip", "full"], /'--log-ip' cannot be used more than once/],
    [["--relay-name"], /a value is required for '--relay-name <TEXT>'/],
    [["--relay-name", "--log-ip=none"], /a value is required for '--relay-name <TEXT>'/],
    [["serve", "now"], /unexpected argument 'now' found/],
    [["--", "--log-ip=none"], /unexpected argument '--log-ip=none' found/],
    [["--no-relay-name"], /unexpected argument '--no-relay-name' found/],
    [["--strict"], /--strict is only valid together with --check-config/],
    [["backups"], /unexpected argument .backups. found/],
  ];
  for (const [args, expected] of cases) {
    const { stderr, exitCode } = await loadInvalid({ args });
    assert.match(stderr, expected);
    assert.equal(exitCode, 2, args.join(" "));
  }
});

Deno.test("a repeated list flag is concatenated, and layers are replaced, not joined", async () => {
  const args = ["--repository-blacklist", "one", "--repository-blacklist=two,,three"];
  const config = await loadValid({ args, env: { NGIT_REPOSITORY_BLACKLIST: "four" } });
  assert.deepEqual(config.repositoryBlacklist.map((entry) => entry.text), ["one", "two", "three"]);
});

Deno.test("C-28 lmdb is an alias of the default engine with one warning; memory asks for a temporary directory", async () => {
  const config = await loadValid({ env: { NGIT_DATABASE_BACKEND: "LMDB" } });
  assert.equal(config.databaseBackend, "libsql");
  assert.equal(config.warnings.length, 1);
  assert.equal(config.usesTemporaryGitData, false);
  assert.equal((await loadValid({ args: ["--database-backend=memory"] })).usesTemporaryGitData, true);
  const own = await loadValid({ args: ["--database-backend=memory", "--git-data-path=./data/git"] });
  assert.equal(own.usesTemporaryGitData, false);
});

Deno.test("C-45 old names are read with a warning, and the canonical name wins", async () => {
  const config = await loadValid({ env: { NGIT_SYNC_ALLOW_PRIVATE_RELAYS: "true" } });
  assert.equal(config.allowPrivateAddresses, "true");
  const aliasWarnings = config.warnings.filter((warning) => warning.includes("is an old name of"));
  assert.equal(aliasWarnings.length, 1);
  const both = await loadValid({ env: { NGIT_ABUSE_THRESHOLD: "3" }, args: ["--top-n-repos", "4"] });
  assert.equal(both.metricsConnectionPerIpAbuseThreshold, 3);
  assert.equal(both.metricsTopNRepos, 4);
  const canonical = await loadValid({
    env: { NGIT_ABUSE_THRESHOLD: "3" },
    dotenv: "NGIT_METRICS_CONNECTION_PER_IP_ABUSE_THRESHOLD=5",
  });
  assert.equal(canonical.metricsConnectionPerIpAbuseThreshold, 5);
  assert.match(canonical.warnings.join(), /which is set too and wins/);
});

Deno.test("C-45 a wrong value under an old name is reported with the name somebody wrote", async () => {
  const { stderr } = await loadInvalid({ dotenv: "NGIT_RELAY_FILTER_LIMIT=5", args: ["--top-n-repos=x"] });
  assert.match(stderr, /for NGIT_MAX_FILTER_LIMIT: .* \(from \.env:1, as NGIT_RELAY_FILTER_LIMIT\)$/m);
  assert.match(stderr, /for NGIT_METRICS_TOP_N_REPOS: .* \(from cli, as NGIT_TOP_N_REPOS\)$/m);
});

Deno.test("C-44 with port 0 the derived domain follows the bound port", async () => {
  const { domainForPort, withBoundPort } = await import("../../lib/config/mod.ts");
  const config = await loadValid({ args: ["--bind-address=127.0.0.1:0"] });
  assert.equal(domainForPort(config, 4711), "localhost:4711");
  assert.equal(withBoundPort(config, 4711).relayName, "localhost:4711 grasp relay");
  const named = await loadValid({ args: ["--bind-address=127.0.0.1:0", "--domain=git.example.org"] });
  assert.equal(domainForPort(named, 4711), "git.example.org");
  assert.equal(withBoundPort(named, 4711).relayIconUrl, "https://git.example.org/icon.png");
});
