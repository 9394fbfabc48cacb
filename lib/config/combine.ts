import { resolve } from "node:path";
import type { OptionName, OptionValues } from "./options.ts";
import type { Notice, Problem } from "./problem.ts";
import { hostOfDomain, isLoopbackHost } from "./domain.ts";
import { formatAddress } from "./kinds.ts";
import { remoteDatabaseUrl } from "./config.ts";
import type { Resolution } from "./resolve.ts";

/** What the options mean together: faults and remarks of combinations, not of single values. */
export interface Judgement {
  readonly problems: readonly Problem[];
  readonly notices: readonly Notice[];
}

type Values = Partial<OptionValues>;

/** True when some option makes this server take announcements that do not list it. */
export function isArchive(values: Values): boolean {
  return values.archiveAll === true || isFilled(values.archiveWhitelist) ||
    isFilled(values.archiveGraspServices);
}

/** True when only archive matches are accepted: as set, else whenever an archive option is active. */
export function isReadOnly(values: Values): boolean {
  return values.archiveReadOnly ?? isArchive(values);
}

/** Judges the combinations of the configuration chapter, section 5, and the dependencies of single options. */
export function judgeCombinations(resolution: Resolution, cwd: string): Judgement {
  const { values } = resolution;
  const faults = [...archiveFaults(values), ...dependencyFaults(values, cwd)];
  const problems = faults.map((message): Problem => ({ check: "exclusions", message, exitCode: 1 }));
  return { problems, notices: [...archiveNotices(values), ...otherNotices(resolution)] };
}

function archiveFaults(values: Values): readonly string[] {
  const faults: string[] = [];
  const services = isFilled(values.archiveGraspServices);
  if (services && values.archiveAll) {
    faults.push(
      "NGIT_ARCHIVE_GRASP_SERVICES cannot be used with NGIT_ARCHIVE_ALL=true. These options are mutually exclusive.",
    );
  }
  if (services && isFilled(values.archiveWhitelist)) {
    faults.push(
      "NGIT_ARCHIVE_GRASP_SERVICES cannot be used with NGIT_ARCHIVE_WHITELIST. These options are mutually exclusive.",
    );
  }
  if (values.archiveReadOnly === true && !isArchive(values)) {
    faults.push(
      "NGIT_ARCHIVE_READ_ONLY=true requires either NGIT_ARCHIVE_ALL=true, NGIT_ARCHIVE_WHITELIST, or NGIT_ARCHIVE_GRASP_SERVICES to be set",
    );
  }
  if (isFilled(values.repositoryWhitelist) && isReadOnly(values)) {
    faults.push(
      "NGIT_REPOSITORY_WHITELIST cannot be used with NGIT_ARCHIVE_READ_ONLY=true. Set NGIT_ARCHIVE_READ_ONLY=false, or use NGIT_ARCHIVE_WHITELIST instead.",
    );
  }
  if (values.syncEnable === false && isArchive(values)) {
    faults.push("NGIT_SYNC_ENABLE=false cannot be used with archive options: an archive cannot fill itself.");
  }
  if (values.curation === "" && (isReadOnly(values) || isFilled(values.repositoryWhitelist))) {
    faults.push("NGIT_CURATION cannot be empty: this server is curated, and clients must be told.");
  }
  return faults;
}

function dependencyFaults(values: Values, cwd: string): readonly string[] {
  const faults: string[] = [];
  const { gitDataPath: git, relayDataPath: relay, bindAddress: bind, metricsBindAddress: metrics } = values;
  if (values.databaseBackend === "libsql" && git !== undefined && relay !== undefined) {
    const [gitPath, relayPath] = [resolve(cwd, git), resolve(cwd, relay)];
    if (isInside(gitPath, relayPath) || isInside(relayPath, gitPath)) {
      faults.push("NGIT_RELAY_DATA_PATH and NGIT_GIT_DATA_PATH must not lie inside each other.");
    }
  }
  if (bind && metrics && bind.port !== 0 && formatAddress(bind) === formatAddress(metrics)) {
    faults.push("NGIT_METRICS_BIND_ADDRESS must differ from NGIT_BIND_ADDRESS.");
  }
  if (exceeds(values.syncBaseBackoffSecs, values.syncMaxBackoffSecs)) {
    faults.push("NGIT_SYNC_MAX_BACKOFF_SECS must be at least NGIT_SYNC_BASE_BACKOFF_SECS.");
  }
  if (exceeds(values.rejectedHotCacheDurationSecs, values.rejectedColdIndexExpirySecs)) {
    faults.push(
      "NGIT_REJECTED_COLD_INDEX_EXPIRY_SECS must be at least NGIT_REJECTED_HOT_CACHE_DURATION_SECS.",
    );
  }
  return faults;
}

function archiveNotices(values: Values): readonly Notice[] {
  const messages: string[] = [];
  if (values.archiveAll) {
    messages.push("NGIT_ARCHIVE_ALL=true: strangers decide how much is stored here");
    if (isFilled(values.archiveWhitelist)) {
      messages.push("NGIT_ARCHIVE_WHITELIST has no effect with NGIT_ARCHIVE_ALL=true");
    }
  }
  for (const entry of values.archiveWhitelist ?? []) {
    if (entry.kind === "identifier") {
      messages.push(`NGIT_ARCHIVE_WHITELIST: '${entry.text}' matches any owner`);
    }
  }
  if (values.domain !== undefined && values.archiveGraspServices?.includes(values.domain)) {
    messages.push("NGIT_ARCHIVE_GRASP_SERVICES names our own domain");
  }
  return messages.map((message) => ({ check: "exclusions", message }));
}

function otherNotices({ values, origins }: Resolution): readonly Notice[] {
  const notices: Notice[] = [];
  const notice = (check: Notice["check"], message: string) => notices.push({ check, message });
  if (sourceOf(origins, "NGIT_RELAY_OWNER_NSEC") === "cli") {
    notice(
      "key",
      "NGIT_RELAY_OWNER_NSEC was given as a flag: it is visible in process lists; use the key file",
    );
  }
  if (exceeds(values.defaultFilterLimit, values.maxFilterLimit)) {
    notice(
      "options",
      "NGIT_DEFAULT_FILTER_LIMIT is larger than NGIT_MAX_FILTER_LIMIT, which is used instead",
    );
  }
  const hot = values.rejectedHotCacheDurationSecs;
  if (hot !== undefined && (hot < 30 || hot > 300)) {
    notice("options", "NGIT_REJECTED_HOT_CACHE_DURATION_SECS is outside its useful range of 30 to 300");
  }
  for (const url of values.syncBootstrapRelayUrl ?? []) {
    if (values.domain !== undefined && new URL(url).host === values.domain) {
      notice("sync-url", `NGIT_SYNC_BOOTSTRAP_RELAY_URL: our own address ${url} is ignored`);
    }
  }
  for (const message of databaseNotices(values)) notice("options", message);
  if (values.test) {
    notice("options", "NGIT_TEST is set: timers are shortened, do not use this server for real data");
  }
  return notices;
}

function databaseNotices(values: Values): readonly string[] {
  const url = remoteDatabaseUrl(values);
  if (url === undefined) {
    return values.databaseAuthToken
      ? ["NGIT_DATABASE_AUTH_TOKEN has no effect: the database is no server"]
      : [];
  }
  const { protocol, hostname } = new URL(url);
  if (protocol !== "http:" || isLoopbackHost(hostname)) return [];
  return [
    `NGIT_DATABASE_URL: everything stored${
      values.databaseAuthToken ? ", and NGIT_DATABASE_AUTH_TOKEN," : ""
    } is sent to ${hostname} unencrypted; use https: unless that network is yours`,
  ];
}

/** Options that do nothing because another one switches their feature off. */
export function isActive(name: OptionName, values: Values): boolean {
  if (values.metricsEnabled === false && name.startsWith("NGIT_METRICS_")) {
    return name === "NGIT_METRICS_ENABLED";
  }
  if (values.syncEnable === false && name.startsWith("NGIT_SYNC_")) return name === "NGIT_SYNC_ENABLE";
  if (values.grasp06Enable === false && name.startsWith("NGIT_GRASP06_")) {
    return name === "NGIT_GRASP06_ENABLE";
  }
  return !(name === "NGIT_RELAY_DATA_PATH" && values.databaseBackend === "memory");
}

/** Scheme of the URLs we print, for the configured word and our domain. */
export function resolveScheme(word: "auto" | "http" | "https", domain: string): "http" | "https" {
  if (word !== "auto") return word;
  return isLoopbackHost(hostOfDomain(domain)) ? "http" : "https";
}

function sourceOf(origins: Resolution["origins"], name: OptionName): string | undefined {
  return origins.get(name)?.source;
}

function isFilled(list: readonly unknown[] | undefined): boolean {
  return list !== undefined && list.length > 0;
}

function exceeds(low: number | undefined, high: number | undefined): boolean {
  return low !== undefined && high !== undefined && low > high;
}

function isInside(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith("/") ? outer : outer + "/");
}
