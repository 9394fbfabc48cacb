import { type Case, file, KEY } from "./broken_support.ts";
import { NPUB } from "./support.ts";

const OTHER_KEY = "2".repeat(64);

/** Faults of options, alone and together. */
export const OPTION_CASES: readonly Case[] = [
  // .env syntax
  { name: "no equals sign", id: "options", dotenv: "NGIT_TEST", says: /^\.env:1: expected KEY=VALUE/ },
  { name: "open quote", id: "options", dotenv: "\n\nA='x", says: /^\.env:3: a quoted value is not closed/ },
  { name: "bad escape", id: "options", dotenv: 'A="\\q"', says: /^\.env:1: unknown escape/ },
  { name: "bad reference", id: "options", dotenv: "A=${B", says: /^\.env:1: malformed \$\{NAME\}/ },
  {
    name: "named file is missing",
    id: "options",
    args: ["--env-file=no.env"],
    says: /^cannot read .*no\.env: NotFound/,
  },
  // values and flags
  {
    name: "unknown flag",
    id: "options",
    args: ["--max-conections=5"],
    says: /'--max-conections'.*'--max-connections'/,
  },
  { name: "flag twice", id: "options", args: ["--log-ip=none", "--log-ip=full"], says: /more than once/ },
  { name: "word", id: "options", args: ["start"], says: /unexpected argument 'start'/ },
  {
    name: "zero connections",
    id: "options",
    env: { NGIT_MAX_CONNECTIONS: "0" },
    says: /integer between 1 and .*from env/,
  },
  {
    name: "switch",
    id: "options",
    dotenv: "NGIT_METRICS_ENABLED=maybe",
    says: /expected true or false \(from \.env:1\)/,
  },
  {
    name: "address",
    id: "options",
    env: { NGIT_METRICS_BIND_ADDRESS: "localhost:80" },
    says: /expected IP:PORT/,
  },
  { name: "log level", id: "options", env: { NGIT_LOG_LEVEL: "loud" }, says: /'loud' for NGIT_LOG_LEVEL/ },
  {
    name: "word of a list",
    id: "options",
    env: { NGIT_DATABASE_BACKEND: "mysql" },
    says: /expected one of: libsql, memory/,
  },
  {
    name: "policy is no URL",
    id: "options",
    env: { NGIT_RELAY_PRIVACY_POLICY: "example.org" },
    says: /expected a URL/,
  },
  {
    name: "name is too long",
    id: "options",
    env: { NGIT_RELAY_NAME: "x".repeat(201) },
    says: /at most 200 characters/,
  },
  {
    name: "control character",
    id: "options",
    env: { NGIT_RELAY_NAME: "a\u0007" },
    says: /contains a control character/,
  },
  // names
  {
    name: "misspelt",
    id: "unknown",
    env: { NGIT_DOMIAN: "x" },
    status: "warn",
    says: /did you mean NGIT_DOMAIN\?/,
  },
  {
    name: "of ngit-relay",
    id: "unknown",
    env: { NGIT_LOG_DIR: "/x" },
    status: "warn",
    says: /NGIT_LOG_DIR is ignored: logs go to/,
  },
  {
    name: "of the Rust server",
    id: "unknown",
    env: { NGIT_TOP_N_REPOS: "5" },
    status: "warn",
    says: /old name of NGIT_METRICS_TOP_N_REPOS/,
  },
  // domain
  {
    name: "a URL",
    id: "domain",
    env: { NGIT_DOMAIN: "https://git.example.org/" },
    says: /git\.example\.org/,
  },
  { name: "empty", id: "domain", env: { NGIT_DOMAIN: "" }, says: /NGIT_DOMAIN/ },
  { name: "port 0", id: "domain", env: { NGIT_DOMAIN: "git.example.org:0" }, says: /port/ },
  { name: "user information", id: "domain", env: { NGIT_DOMAIN: "me@git.example.org" }, says: /NGIT_DOMAIN/ },
  { name: "two words", id: "domain", env: { NGIT_DOMAIN: "two words" }, says: /two words/ },
  { name: "unspecified address", id: "domain", env: { NGIT_DOMAIN: "0.0.0.0" }, says: /0\.0\.0\.0/ },
  {
    name: "missing",
    id: "domain",
    args: ["--bind-address=0.0.0.0:0"],
    also: "port",
    says: /^the following required arguments .*--domain/,
  },
  { name: "no dot", id: "domain", env: { NGIT_DOMAIN: "grasp" }, status: "warn", says: /NGIT_DOMAIN/ },
  // key
  {
    name: "no key",
    id: "key",
    env: { NGIT_RELAY_OWNER_NSEC: "nsec1oops" },
    says: /^Invalid relay_owner_nsec format/,
  },
  {
    name: "garbage in the file",
    id: "key",
    env: { NGIT_RELAY_OWNER_NSEC: "" },
    prepare: file(".relay-owner.nsec", "oops"),
    says: /^Invalid nsec in relay owner key file/,
  },
  {
    name: "a directory",
    id: "key",
    env: { NGIT_RELAY_OWNER_NSEC: "", NGIT_RELAY_OWNER_NSEC_FILE: "." },
    says: /^Failed to read relay owner key file/,
  },
  {
    name: "named file is missing",
    id: "key",
    env: { NGIT_RELAY_OWNER_NSEC: "", NGIT_RELAY_OWNER_NSEC_FILE: "k" },
    says: /^Failed to read relay owner key file .*NotFound/,
  },
  {
    name: "two keys",
    id: "key",
    env: { NGIT_RELAY_OWNER_NSEC_FILE: "k" },
    prepare: file("k", OTHER_KEY),
    says: /are different keys/,
  },
  {
    name: "readable by others",
    id: "key",
    env: { NGIT_RELAY_OWNER_NSEC_FILE: "k" },
    prepare: file("k", KEY, 0o640),
    status: "warn",
    says: /accessible to others \(mode 0640\)/,
  },
  {
    name: "as a flag",
    id: "key",
    args: [`--relay-owner-nsec=${KEY}`],
    status: "warn",
    says: /visible in process lists/,
  },
  { name: "owner is no npub", id: "key", env: { NGIT_OWNER_NPUB: "me" }, says: /expected an npub/ },
  // lists
  {
    name: "whitelist",
    id: "lists",
    env: { NGIT_REPOSITORY_WHITELIST: "npub1invalid" },
    says: /npub1invalid/,
  },
  {
    name: "two slashes",
    id: "lists",
    env: { NGIT_REPOSITORY_BLACKLIST: `${NPUB}/a/b` },
    says: /Expected 'npub\/identifier'/,
  },
  { name: "authors", id: "lists", env: { NGIT_EVENT_BLACKLIST: "foo" }, says: /foo/ },
  {
    name: "service with a path",
    id: "lists",
    env: { NGIT_ARCHIVE_GRASP_SERVICES: "a.example/x" },
    says: /a\.example\/x/,
  },
  { name: "proxies", id: "lists", env: { NGIT_TRUSTED_PROXIES: "10.0.0.0/33" }, says: /10\.0\.0\.0\/33/ },
  {
    name: "none is not alone",
    id: "lists",
    env: { NGIT_METRICS_ALLOW_FROM: "none,::1" },
    says: /'none' must be the only/,
  },
  {
    name: "our own service",
    id: "exclusions",
    env: { NGIT_DOMAIN: "a.example", NGIT_ARCHIVE_GRASP_SERVICES: "a.example" },
    status: "warn",
    says: /our own domain/,
  },
  // exclusions
  {
    name: "X1",
    id: "exclusions",
    env: { NGIT_ARCHIVE_ALL: "true", NGIT_ARCHIVE_GRASP_SERVICES: "a.example" },
    says: /^NGIT_ARCHIVE_GRASP_SERVICES cannot be used with NGIT_ARCHIVE_ALL=true/,
  },
  {
    name: "X3",
    id: "exclusions",
    env: { NGIT_ARCHIVE_READ_ONLY: "true" },
    says: /^NGIT_ARCHIVE_READ_ONLY=true requires either/,
  },
  {
    name: "X4",
    id: "exclusions",
    env: { NGIT_ARCHIVE_WHITELIST: "a", NGIT_REPOSITORY_WHITELIST: "b" },
    says: /^NGIT_REPOSITORY_WHITELIST cannot be used with/,
  },
  {
    name: "archive without sync",
    id: "exclusions",
    env: { NGIT_ARCHIVE_ALL: "true", NGIT_SYNC_ENABLE: "false" },
    says: /an archive cannot fill itself/,
  },
  {
    name: "nested directories",
    id: "exclusions",
    env: { NGIT_RELAY_DATA_PATH: "data/git/relay" },
    says: /must not lie inside each other/,
  },
  {
    name: "backoff",
    id: "exclusions",
    env: { NGIT_SYNC_BASE_BACKOFF_SECS: "60", NGIT_SYNC_MAX_BACKOFF_SECS: "5" },
    says: /must be at least NGIT_SYNC_BASE_BACKOFF_SECS/,
  },
  // relays to start from
  {
    name: "scheme",
    id: "sync-url",
    env: { NGIT_SYNC_BOOTSTRAP_RELAY_URL: "ftp://a.example" },
    says: /expected a ws or wss URL/,
  },
  {
    name: "user information",
    id: "sync-url",
    env: { NGIT_SYNC_BOOTSTRAP_RELAY_URL: "wss://u:p@a.example" },
    says: /user information is not allowed/,
  },
  {
    name: "ourselves",
    id: "sync-url",
    env: { NGIT_DOMAIN: "a.example", NGIT_SYNC_BOOTSTRAP_RELAY_URL: "a.example" },
    status: "warn",
    says: /our own address/,
  },
];
