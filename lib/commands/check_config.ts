import { resolve } from "node:path";
import {
  type ConfigInput,
  databasePath,
  type Examination,
  examineConfig,
  findRelayKey,
  formatProblem,
  type OptionCheck,
  parseCommandLine,
  remoteDatabaseUrl,
  shortNpub,
  shown,
} from "../config/mod.ts";
import { NO_LIBRARY, secp256k1Path } from "../nostr/mod.ts";
import { knownInstanceName } from "../store/mod.ts";
import type { Clock } from "../world/mod.ts";
import { accessFlags, type NeededAccess, neededAccess } from "./access.ts";
import { checkDatabase, type DatabaseCheck } from "./check_database.ts";
import { checkDatabaseServer } from "./check_database_server.ts";
import { checkJson, troubleText } from "./check_json.ts";
import { checkDirectory, checkDisk, checkStateFiles, newestFile } from "./check_files.ts";
import { checkClock, checkGit, checkLimits, checkPort, runningServer } from "./check_machine.ts";
import { checkPermissions } from "./check_permissions.ts";
import { checkSignatures } from "./check_signatures.ts";
import { type CheckResult, renderCheck, resultsOf } from "./check_result.ts";
import { loadNativeModule, type NativeModule } from "./native_module.ts";

/** What {@link checkConfig} needs. */
export interface CheckConfigInput extends ConfigInput {
  /** Schema version this program writes. */
  readonly schemaVersion: number;
  readonly clock: Clock;
}

/** Text for stdout and the exit code: 1 when a check failed. */
export interface CheckReport {
  readonly text: string;
  /** For stderr: what is not in order, when `text` is for a program. */
  readonly trouble: string;
  readonly exitCode: 0 | 1;
}

/** Effective paths and switches, as far as the options are right. */
interface Subject {
  readonly examination: Examination;
  readonly input: CheckConfigInput;
  readonly allowRunning: boolean;
  /** Absolute; undefined when not used or not valid. */
  readonly gitPath: string | undefined;
  readonly relayPath: string | undefined;
  readonly runningPid: string | undefined;
  readonly nativeModule: NativeModule;
  readonly access: NeededAccess;
}

/**
 * `--check-config`: validates everything, starts nothing and changes nothing. Problems of options do
 * not keep the checks of the machine from running, so that one run reports all of them.
 */
export async function checkConfig(input: CheckConfigInput): Promise<CheckReport> {
  const command = parseCommandLine(input.args);
  const strict = command.kind === "check-config" && command.strict;
  const allowRunning = command.kind === "check-config" && command.allowRunning;
  const examination = await examineConfig(input);
  const subject = await subjectOf(input, examination, allowRunning);
  const results = [...optionResults(examination), ...await machineResults(subject)].map((
    result,
  ): CheckResult => strict && result.status === "warn" ? { ...result, status: "FAIL" } : result);
  const isJson = command.kind === "check-config" && command.format === "json";
  return {
    text: isJson
      ? checkJson(results, examination.resolved, accessFlags(subject.access))
      : renderCheck(results, examination.resolved),
    trouble: isJson ? troubleText(results) : "",
    exitCode: results.some((result) => result.status === "FAIL") ? 1 : 0,
  };
}

async function subjectOf(
  input: CheckConfigInput,
  examination: Examination,
  allowRunning: boolean,
): Promise<Subject> {
  const { values, resolved } = examination;
  const isMemory = values.databaseBackend === "memory";
  const gitIsDefault = resolved.find((option) => option.name === "NGIT_GIT_DATA_PATH")?.source === "default";
  const absolute = (path: string | undefined) => path === undefined ? undefined : resolve(input.cwd, path);
  const gitPath = isMemory && gitIsDefault ? undefined : absolute(values.gitDataPath);
  const relayPath = isMemory ? undefined : absolute(values.relayDataPath);
  const runningPid = await runningServer([gitPath, relayPath].filter((path) => path !== undefined));
  const nativeModule = await loadNativeModule();
  const access = await neededAccess({ ...input, examination, nativeModule: nativeModule.path });
  return { input, examination, allowRunning, gitPath, relayPath, runningPid, nativeModule, access };
}

const OPTION_CHECKS: readonly OptionCheck[] = [
  "options",
  "unknown",
  "domain",
  "lists",
  "exclusions",
  "sync-url",
];

function optionResults({ problems, notices, resolved, envFile }: Examination): readonly CheckResult[] {
  const value = (name: string) => resolved.find((option) => option.name === name)?.value ?? "-";
  const messages: Readonly<Partial<Record<OptionCheck, string>>> = {
    options: envFile === undefined ? "all valid; no .env file" : `all valid; read ${shown(envFile)}`,
    unknown: "no unknown names",
    domain: value("NGIT_DOMAIN"),
    lists: `repository whitelist ${value("NGIT_REPOSITORY_WHITELIST")}; blacklist ${
      value("NGIT_REPOSITORY_BLACKLIST")
    }; event blacklist ${value("NGIT_EVENT_BLACKLIST")}`,
    exclusions: "no options exclude each other",
    "sync-url": `relays to start from: ${value("NGIT_SYNC_BOOTSTRAP_RELAY_URL")}`,
  };
  return OPTION_CHECKS.flatMap((check) => {
    const { ok } = resultsOf(check);
    const found = findings({ problems, notices }, check);
    return found.length > 0 ? found : [ok(messages[check] ?? "")];
  });
}

function findings(
  { problems, notices }: Pick<Examination, "problems" | "notices">,
  check: OptionCheck,
): CheckResult[] {
  const { warn, fail } = resultsOf(check);
  return [
    ...problems.filter((problem) => problem.check === check).map((problem) => fail(formatProblem(problem))),
    ...notices.filter((notice) => notice.check === check).map((notice) => warn(notice.message)),
  ];
}

async function machineResults(subject: Subject): Promise<readonly CheckResult[]> {
  const { input, examination: { values }, gitPath, relayPath, runningPid, allowRunning } = subject;
  const paths = [gitPath, relayPath].filter((path) => path !== undefined);
  // Both may have to be waited for.
  const [database, git] = await Promise.all([databaseResults(subject), gitResult(subject)]);
  return [
    ...await keyResults(subject),
    ...await directoryResults("git-data-path", "NGIT_GIT_DATA_PATH", gitPath),
    ...await directoryResults("relay-data-path", "NGIT_RELAY_DATA_PATH", relayPath),
    git,
    await checkSignatures(values.secp256k1Library),
    values.bindAddress
      ? checkPort(values.bindAddress, runningPid, allowRunning)
      : resultsOf("port").skip("NGIT_BIND_ADDRESS is not valid"),
    ...values.metricsBindAddress ? [checkPort(values.metricsBindAddress, runningPid, allowRunning)] : [],
    ...database.results,
    ...gitPath !== undefined && relayPath !== undefined ? await checkStateFiles(gitPath, relayPath) : [],
    checkClock({
      clock: input.clock,
      newestEvent: database.newestEvent,
      newestFile: await newestFile(databaseFiles(subject)),
      maxFutureSecs: values.maxEventFutureSecs ?? 0,
    }),
    ...await checkDisk(paths, values.minFreeDiskMb ?? 0),
    ...await permissionResults(subject),
    await checkLimits(values.maxConnections),
  ];
}

async function gitResult({ input, examination: { values: { gitBinary } } }: Subject): Promise<CheckResult> {
  if (gitBinary === undefined) return resultsOf("git").skip("NGIT_GIT_BINARY is not valid");
  return await checkGit({
    binary: gitBinary.includes("/") ? resolve(input.cwd, gitBinary) : gitBinary,
    searchPath: input.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    clock: input.clock,
  });
}

function databaseFiles({ input, examination: { values }, relayPath }: Subject): readonly string[] {
  if (relayPath === undefined) return [];
  const { databaseUrl } = values;
  const path = resolve(input.cwd, databasePath({ databaseUrl, relayDataPath: relayPath }));
  return [path, `${path}-wal`];
}

async function directoryResults(
  id: string,
  option: string,
  path: string | undefined,
): Promise<readonly CheckResult[]> {
  if (path === undefined) return [resultsOf(id).skip("not used, or not valid")];
  return await checkDirectory(id, option, path);
}

async function keyResults({ input, examination }: Subject): Promise<readonly CheckResult[]> {
  const { ok, warn, fail } = resultsOf("key");
  const found = findings(examination, "key");
  const { relayOwnerNsecFile, databaseBackend, relayOwnerNsec } = examination.values;
  if (relayOwnerNsecFile === undefined || databaseBackend === undefined || found.some(isFailure)) {
    return found;
  }
  const option = examination.resolved.find((candidate) => candidate.name === "NGIT_RELAY_OWNER_NSEC_FILE");
  const keyFileIsExplicit = option !== undefined && option.source !== "default";
  const key = await findRelayKey(
    { relayOwnerNsec, relayOwnerNsecFile, keyFileIsExplicit, databaseBackend },
    input.cwd,
  );
  if (!key.ok) return [...found, fail(key.problem)];
  if (key.key) {
    const origin = key.key.source === "file"
      ? await keyFileText(resolve(input.cwd, relayOwnerNsecFile))
      : "option";
    return [...found, ok(`${shortNpub(key.key.npub)} from ${origin}`), ...key.warnings.map(warn)];
  }
  const isTemporary = databaseBackend === "memory";
  return [...found, isTemporary ? ok("a temporary key will be used") : warn("a key will be generated")];
}

/** The file and its mode, e.g. `/etc/grasp/key (mode 0600)`. */
async function keyFileText(path: string): Promise<string> {
  const { mode } = await Deno.stat(path);
  return mode === null ? shown(path) : `${shown(path)} (mode ${(mode & 0o777).toString(8).padStart(4, "0")})`;
}

async function databaseResults(subject: Subject): Promise<DatabaseCheck> {
  const { input, relayPath, runningPid, allowRunning, examination: { values } } = subject;
  const { skip, warn, fail } = resultsOf("database");
  if (values.databaseBackend === "memory") return { results: [skip("memory backend")] };
  if (relayPath === undefined) return { results: [skip("NGIT_RELAY_DATA_PATH is not valid")] };
  if (runningPid !== undefined) {
    const text = `data directory ${relayPath} is in use by pid ${runningPid}`;
    return { results: [allowRunning ? warn(text) : fail(text)] };
  }
  const server = remoteDatabaseUrl(values);
  if (server !== undefined) {
    return await checkDatabaseServer({
      url: server,
      authToken: values.databaseAuthToken?.reveal(),
      instance: await knownInstanceName(relayPath),
      schemaVersion: input.schemaVersion,
      fetch,
      clock: input.clock,
    });
  }
  const path = resolve(
    input.cwd,
    databasePath({ databaseUrl: values.databaseUrl, relayDataPath: relayPath }),
  );
  return await checkDatabase(path, input.schemaVersion);
}

async function permissionResults(subject: Subject): Promise<readonly CheckResult[]> {
  // Whether signatures are checked by the library has a line of its own.
  const optional = await secp256k1Path(subject.examination.values.secp256k1Library ?? NO_LIBRARY);
  return await checkPermissions(subject.access, subject.nativeModule, optional);
}

function isFailure(result: CheckResult): boolean {
  return result.status === "FAIL";
}
