import { dirname, resolve } from "node:path";
import {
  allowsPrivateAddresses,
  type ConfigInput,
  databasePath,
  type Examination,
  formatAddress,
  inRanges,
  type OptionName,
  type OptionValues,
  parseRange,
  prefixesOf,
  remoteDatabaseUrl,
  SYSTEM_VARIABLES,
} from "../config/mod.ts";
import { locateGit } from "../git/mod.ts";
import { NO_LIBRARY, secp256k1Path } from "../nostr/mod.ts";
import { cLibraryPath } from "../world/mod.ts";

/** One kind of permission with what it is limited to; `undefined` means unlimited. */
export interface Grant {
  readonly name: "net" | "read" | "write" | "run" | "env" | "sys" | "ffi";
  readonly values: readonly string[] | undefined;
}

/** What a server needs of the runtime, and what can be withheld though a grant would include it. */
export interface NeededAccess {
  readonly grants: readonly Grant[];
  /** Addresses and networks (`--deny-net`). */
  readonly deniedNet: readonly string[];
}

/** What {@link neededAccess} depends on. */
export interface AccessInput extends Pick<ConfigInput, "cwd" | "env"> {
  /** Right or wrong: options that are wrong are left out. */
  readonly examination: Pick<Examination, "values" | "config" | "resolved" | "envFile">;
  /** Native module of the database, when it could be found. */
  readonly nativeModule: string | undefined;
}

/** Libraries read these when they are loaded: `ws` and `libsql`. */
const LIBRARY_VARIABLES = ["WS_NO_BUFFER_UTIL", "WS_NO_UTF_8_VALIDATE", "LIBSQL_JS_DEV"];
/** What the database driver asks for while it finds out which C library this is. */
const DRIVER_SYS = ["cpus", "hostname", "networkInterfaces"];
/** Where clouds keep their credentials. */
const METADATA_ADDRESS = "169.254.169.254";
/** Networks that nobody on the Internet is in; the runtime takes prefixes of IPv4 only. */
const LOCAL_NETWORKS = [...prefixesOf("private"), ...prefixesOf("loopback"), "169.254.0.0/16"]
  .filter((prefix) => !prefix.includes(":"));
const DEFAULT_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin";

/** The least a server with this configuration can work with, in the order of the command line. */
export async function neededAccess(input: AccessInput): Promise<NeededAccess> {
  const { values } = input.examination;
  const owned = ownedPaths(input);
  const keyFile = keyFileOf(input);
  const keyDirectory = keyFile === undefined ? [] : await directoryToCreateIn(input, keyFile);
  const git = await gitOf(input);
  const read = [...owned, envFileOf(input), ...(keyFile === undefined ? [] : [keyFile]), ...keyDirectory];
  // The driver for database servers has no native module.
  const loadsLibrary = remoteDatabaseUrl(values) === undefined;
  const grants: Grant[] = [
    { name: "net", values: values.syncEnable === false ? ownNet(values) : undefined },
    { name: "read", values: withoutInner([...read, ...git.read]) },
    { name: "write", values: withoutInner([...owned, ...keyDirectory]) },
    { name: "run", values: git.run },
    { name: "env", values: ["NGIT_*", ...LIBRARY_VARIABLES, ...SYSTEM_VARIABLES] },
    { name: "sys", values: sysOf(values, loadsLibrary) },
    { name: "ffi", values: await librariesOf(input, loadsLibrary) },
  ];
  return { grants, deniedNet: deniedNet(input.examination) };
}

/**
 * The database's native module where one is loaded, libsecp256k1 where there is one; the C library only where a
 * service manager wants to be told.
 */
async function librariesOf(
  { nativeModule, env, examination }: AccessInput,
  loadsLibrary: boolean,
): Promise<readonly string[] | undefined> {
  if (loadsLibrary && nativeModule === undefined) return undefined;
  const cLibrary = env["NOTIFY_SOCKET"] === undefined ? undefined : await cLibraryPath();
  const secp256k1 = await secp256k1Path(examination.values.secp256k1Library ?? NO_LIBRARY);
  return [loadsLibrary ? nativeModule : undefined, secp256k1, cLibrary].filter((path) => path !== undefined);
}

/** The interfaces are this server's own addresses when it listens on all of them. */
function sysOf(values: Partial<OptionValues>, loadsLibrary: boolean): readonly string[] {
  const listensOnAll = ["0.0.0.0", "::"].includes(values.bindAddress?.hostname ?? "");
  return [
    ...new Set([
      ...(loadsLibrary ? DRIVER_SYS : []),
      ...(listensOnAll ? ["networkInterfaces"] : []),
      "uid",
      ...(values.minFreeDiskMb === 0 ? [] : ["statfs"]),
    ]),
  ];
}

/** What it listens on, and its database server. */
function ownNet(values: Partial<OptionValues>): readonly string[] {
  const { bindAddress, metricsBindAddress } = values;
  const listeners = [bindAddress, metricsBindAddress].flatMap((address) =>
    address ? [formatAddress(address)] : []
  );
  const server = remoteDatabaseUrl(values);
  if (server === undefined) return listeners;
  const { protocol, hostname, port } = new URL(server);
  return [...listeners, `${hostname}:${port || (protocol === "http:" ? "80" : "443")}`];
}

/** Directories that are read and written. */
function ownedPaths({ examination, cwd, env }: AccessInput): readonly string[] {
  const { gitDataPath, relayDataPath, databaseBackend, databaseUrl } = examination.values;
  const isMemory = databaseBackend === "memory";
  const paths: string[] = [];
  if (isMemory && isDefault(examination, "NGIT_GIT_DATA_PATH")) paths.push(env["TMPDIR"] ?? "/tmp");
  else if (gitDataPath !== undefined) paths.push(gitDataPath);
  if (!isMemory && relayDataPath !== undefined) {
    paths.push(relayDataPath);
    if (databaseUrl?.startsWith("file:")) paths.push(dirname(databasePath({ databaseUrl, relayDataPath })));
  }
  return paths.map((path) => resolve(cwd, path));
}

/** The `.env` file that was read, or the one that would be. */
function envFileOf({ examination, cwd }: AccessInput): string {
  return examination.envFile ?? resolve(cwd, ".env");
}

/** The file the key is read from; a key given as a value comes before the default file. */
function keyFileOf({ examination, cwd }: AccessInput): string | undefined {
  const { relayOwnerNsec, relayOwnerNsecFile } = examination.values;
  const given = relayOwnerNsec && isDefault(examination, "NGIT_RELAY_OWNER_NSEC_FILE");
  return given || relayOwnerNsecFile === undefined ? undefined : resolve(cwd, relayOwnerNsecFile);
}

/** Where a key has to be generated: written beside its final name and renamed. */
async function directoryToCreateIn(
  { examination }: AccessInput,
  keyFile: string,
): Promise<readonly string[]> {
  const isGenerated = isDefault(examination, "NGIT_RELAY_OWNER_NSEC_FILE") &&
    examination.values.databaseBackend !== "memory";
  if (!isGenerated) return [];
  const isMissing = await Deno.lstat(keyFile).then(
    () => false,
    (error) => error instanceof Deno.errors.NotFound,
  );
  return isMissing ? [dirname(keyFile)] : [];
}

/** Read to be found, run as the program a link leads to. */
async function gitOf({ examination, env, cwd }: AccessInput) {
  const { gitBinary } = examination.values;
  if (gitBinary === undefined) return { read: [], run: [] };
  const binary = gitBinary.includes("/") ? resolve(cwd, gitBinary) : gitBinary;
  const located = await locateGit(binary, env["PATH"] ?? DEFAULT_SEARCH_PATH);
  if (located === undefined) return { read: [], run: [binary] };
  return { read: [located.found, located.program], run: [located.program] };
}

/**
 * Local networks, as far as the server neither listens in them nor was told to go there: a relay to
 * start from, or a database server, may have a private address behind any name.
 */
function deniedNet({ values, config }: AccessInput["examination"]): readonly string[] {
  if (values.syncEnable === false) return [];
  const bound = [values.bindAddress, values.metricsBindAddress].flatMap((address) =>
    address ? [address.hostname] : []
  );
  const mayGoAnywhere = !config || allowsPrivateAddresses(config) ||
    config.syncBootstrapRelayUrl.length > 0 || remoteDatabaseUrl(values) !== undefined;
  const networks = mayGoAnywhere ? [METADATA_ADDRESS] : LOCAL_NETWORKS;
  return networks.filter((network) => !bound.some((address) => inRanges(parseRange(network) ?? [], address)));
}

function isDefault({ resolved }: Pick<Examination, "resolved">, name: OptionName): boolean {
  return resolved.find((option) => option.name === name)?.source === "default";
}

/** Each path once, and none that lies below another. */
function withoutInner(paths: readonly string[]): readonly string[] {
  const once = [...new Set(paths)];
  const isBelow = (path: string, other: string) =>
    path !== other && path.startsWith(other.endsWith("/") ? other : `${other}/`);
  return once.filter((path) => !once.some((other) => isBelow(path, other)));
}

/** The flags of the command line that grant and withhold this, e.g. `--allow-run=/usr/bin/git`. */
export function accessFlags({ grants, deniedNet }: NeededAccess): readonly string[] {
  const flags = grants.flatMap(({ name, values }) =>
    values === undefined
      ? [`--allow-${name}`]
      : values.length === 0
      ? []
      : [`--allow-${name}=${joined(values)}`]
  );
  return deniedNet.length === 0 ? flags : [...flags, `--deny-net=${joined(deniedNet)}`];
}

/** A comma inside a value is written twice. */
function joined(values: readonly string[]): string {
  return values.map((value) => value.replaceAll(",", ",,")).join(",");
}
