import * as kinds from "./kinds.ts";
import * as lists from "./list_kinds.ts";
import { rowsOf } from "./option.ts";

const { withDefault, optional } = rowsOf("Identity and description");
const HTTP_URL = kinds.url(["http", "https"]);

/** Section "Identity and description". */
export const IDENTITY_OPTIONS = {
  NGIT_DOMAIN: optional(kinds.domain, {
    help:
      "Public host, with :port if not the scheme's default. Needed unless the server binds a loopback address",
    derivedDefault: "localhost:<bind port> when bound to loopback",
  }),
  NGIT_DOMAIN_ALIASES: withDefault(lists.domains, {
    default: "",
    help: "Further names under which this server is reached; never dialled or fetched from",
    reloadable: true,
  }),
  NGIT_RELAY_OWNER_NSEC: optional(kinds.secretKey, {
    help: "Secret key of the relay. Prefer the key file: arguments are visible in process lists",
  }),
  NGIT_RELAY_OWNER_NSEC_FILE: withDefault(kinds.path, {
    default: ".relay-owner.nsec",
    help: "File with the secret key; the default file is generated when missing, another one must exist",
  }),
  NGIT_OWNER_NPUB: optional(kinds.pubkey, {
    help: "Key of the human operator: NIP-11 pubkey, while the relay key moves to self",
    reloadable: true,
  }),
  NGIT_RELAY_NAME: optional(kinds.text({ maxLength: 200 }), {
    help: "NIP-11 name and page titles",
    derivedDefault: "<domain> grasp relay",
    reloadable: true,
  }),
  NGIT_RELAY_DESCRIPTION: withDefault(kinds.text(), {
    default: "Git Nostr Relay - a grasp implementation",
    help: "NIP-11 description and landing page",
    reloadable: true,
  }),
  NGIT_RELAY_CONTACT: optional(kinds.text({ check: contactWarnings }), {
    help: "NIP-11 contact: mailto:, https: or nostr: URI",
    reloadable: true,
  }),
  NGIT_RELAY_ICON_URL: optional(HTTP_URL, {
    help: "NIP-11 icon",
    derivedDefault: "<scheme>://<domain>/icon.png",
    reloadable: true,
  }),
  NGIT_RELAY_POSTING_POLICY: optional(HTTP_URL, {
    help: "NIP-11 posting_policy",
    reloadable: true,
  }),
  NGIT_RELAY_PRIVACY_POLICY: optional(HTTP_URL, {
    help: "NIP-11 privacy_policy",
    reloadable: true,
  }),
  NGIT_RELAY_TERMS_OF_SERVICE: optional(HTTP_URL, {
    help: "NIP-11 terms_of_service",
    reloadable: true,
  }),
  NGIT_REPO_ACCEPTANCE_CRITERIA: optional(kinds.text(), {
    help: "Replaces the derived NIP-11 repo_acceptance_criteria",
    reloadable: true,
  }),
  NGIT_CURATION: optional(kinds.text(), {
    help: "Replaces the derived NIP-11 curation text",
    reloadable: true,
  }),
  NGIT_PUBLIC_SCHEME: withDefault(kinds.oneOf(["auto", "https", "http"]), {
    default: "auto",
    help: "Scheme of the URLs we print; auto is http for localhost and loopback addresses, else https",
  }),
};

const network = rowsOf("Network and storage");

/** Section "Network and storage". */
export const NETWORK_OPTIONS = {
  NGIT_BIND_ADDRESS: network.withDefault(kinds.bindAddress, {
    default: "127.0.0.1:7334",
    help: "Listener for HTTP, Git and WebSocket; port 0 picks a free port",
  }),
  NGIT_GIT_DATA_PATH: network.withDefault(kinds.path, {
    default: "./data/git",
    help: "Bare repositories, <npub>/<identifier>.git; created if absent",
  }),
  NGIT_RELAY_DATA_PATH: network.withDefault(kinds.path, {
    default: "./data/relay",
    help: "Event database; created if absent; neither inside the git data path nor around it",
  }),
  NGIT_DATABASE_BACKEND: network.withDefault(
    kinds.oneOf(["libsql", "memory"], {
      lmdb: {
        word: "libsql",
        warning: "'lmdb' is not available here; using the persistent 'libsql' backend",
      },
    }),
    {
      default: "libsql",
      help: "Persistent embedded database, or memory for trials: lost at exit, at most 100000 events",
    },
  ),
  NGIT_DATABASE_URL: network.optional(kinds.databaseUrl, {
    help: "Where the libsql backend keeps its database: a file, or a libSQL server for this instance alone",
    derivedDefault: "file:<relay data path>/relay.db",
  }),
  NGIT_DATABASE_AUTH_TOKEN: network.optional(kinds.secretText, {
    help: "Token for a database server; has to allow writing",
  }),
  NGIT_GIT_BINARY: network.withDefault(kinds.path, {
    default: "git",
    help: "git program, a path or a name found in PATH",
  }),
  NGIT_SECP256K1_LIBRARY: network.withDefault(kinds.library, {
    default: "",
    derivedDefault: "one in the usual places",
    help:
      "libsecp256k1 that checks signatures; with off, or where there is none, WebAssembly does, more slowly",
  }),
  NGIT_TRUSTED_PROXIES: network.withDefault(lists.ranges(["loopback", "private", "none"]), {
    default: "loopback",
    help: "Peers whose X-Forwarded-For and Forwarded headers are believed",
    reloadable: true,
  }),
  NGIT_MIN_FREE_DISK_MB: network.withDefault(kinds.uint(0, 1_000_000_000), {
    default: "512",
    help: "Below this free space pushes are refused and readiness fails; 0 disables",
    reloadable: true,
  }),
  NGIT_ALLOW_PRIVATE_ADDRESSES: network.withDefault(kinds.oneOf(["auto", "true", "false"]), {
    default: "auto",
    help: "Whether outgoing connections may reach private addresses; auto only when our own domain is one",
  }),
};

const metrics = rowsOf("Metrics and logging");

/** Section "Metrics and logging". */
export const METRICS_OPTIONS = {
  NGIT_METRICS_ENABLED: metrics.withDefault(kinds.bool, {
    default: "true",
    help: "Collect metrics and serve /metrics",
  }),
  NGIT_METRICS_CONNECTION_PER_IP_ABUSE_THRESHOLD: metrics.withDefault(kinds.uint(0, 4_294_967_295), {
    default: "10",
    help: "Simultaneous WebSockets of one address that get it flagged (display and log only); 0 disables",
    reloadable: true,
  }),
  NGIT_METRICS_TOP_N_REPOS: metrics.withDefault(kinds.uint(0, 1000), {
    default: "10",
    help: "Repositories in ngit_git_top_repos_bytes",
    reloadable: true,
  }),
  NGIT_METRICS_ALLOW_FROM: metrics.withDefault(lists.ranges(["loopback", "private", "any", "none"]), {
    default: "loopback,private",
    help: "Who may read /metrics and health details; others get 404",
    reloadable: true,
  }),
  NGIT_METRICS_BIND_ADDRESS: metrics.optional(kinds.bindAddress, {
    help: "Separate listener for /metrics, /status, /healthz and /readyz; the main one hides the first two",
  }),
  NGIT_LOG_LEVEL: metrics.withDefault(kinds.logFilter, {
    default: "info",
    help: "off, error, warn, info, debug or trace, or per module: git=debug,http=warn,info",
    reloadable: true,
  }),
  NGIT_LOG_FORMAT: metrics.withDefault(kinds.oneOf(["auto", "text", "json"]), {
    default: "auto",
    help: "auto is text on a terminal and json otherwise",
  }),
  NGIT_LOG_IP: metrics.withDefault(kinds.oneOf(["none", "truncated", "full"]), {
    default: "truncated",
    help: "How client addresses appear in the log",
    reloadable: true,
  }),
};

function contactWarnings(value: string): readonly string[] {
  return value === "" || /^(mailto:|https:|nostr:)/i.test(value)
    ? []
    : ["NGIT_RELAY_CONTACT: expected a mailto:, https: or nostr: URI"];
}
