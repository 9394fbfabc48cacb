import { inRanges, parseRange } from "./address_ranges.ts";
import { hostOfDomain, isLoopbackHost } from "./domain.ts";
import type { OptionValues } from "./options.ts";

/**
 * The configuration of one server: the value of every option under its camelCase name without
 * `NGIT_`, and what follows from them. Names carry their units; paths are relative to the working
 * directory.
 */
export interface Config extends Omit<OptionValues, DerivedKeys> {
  /** Our public `host[:port]`, lower case, without default port. */
  readonly domain: string;
  /** Scheme of the URLs we print. */
  readonly publicScheme: "http" | "https";
  readonly relayName: string;
  readonly relayIconUrl: string;
  /** True when the domain is `localhost:<bind port>` because nobody set it. */
  readonly domainIsDerived: boolean;
  /** True when the name is made from the domain. */
  readonly relayNameIsDerived: boolean;
  /** True when the icon URL is made from the domain. */
  readonly relayIconIsDerived: boolean;
  /** True when somebody named the key file, so that it must exist. */
  readonly keyFileIsExplicit: boolean;
  /** True when repositories belong in a private temporary directory: memory backend, default git path. */
  readonly usesTemporaryGitData: boolean;
}

type DerivedKeys = "domain" | "publicScheme" | "relayName" | "relayIconUrl";

/** The domain once the listening port is known: differs only when it was derived with port 0. */
export function domainForPort(config: Config, port: number): string {
  return config.domainIsDerived ? `localhost:${port}` : config.domain;
}

/** The configuration with everything that depends on the listening port filled in. */
export function withBoundPort(config: Config, port: number): Config {
  const domain = domainForPort(config, port);
  return {
    ...config,
    domain,
    bindAddress: { ...config.bindAddress, port },
    relayName: config.relayNameIsDerived ? `${domain} grasp relay` : config.relayName,
    relayIconUrl: config.relayIconIsDerived
      ? `${config.publicScheme}://${domain}/icon.png`
      : config.relayIconUrl,
  };
}

/** The form of log records: `auto` is text on a terminal and JSON otherwise. */
export function resolveLogFormat(config: Config, isTerminal: boolean): "text" | "json" {
  if (config.logFormat !== "auto") return config.logFormat;
  return isTerminal ? "text" : "json";
}

const PRIVATE_RANGES = parseRange("private") ?? [];

/**
 * True when outgoing connections may reach private addresses that strangers name: as set, else only in
 * test mode or when our own domain is such an address.
 */
export function allowsPrivateAddresses(
  config: Pick<Config, "allowPrivateAddresses" | "domain" | "test">,
): boolean {
  if (config.allowPrivateAddresses !== "auto") return config.allowPrivateAddresses === "true";
  const host = hostOfDomain(config.domain);
  return config.test || isLoopbackHost(host) || inRanges(PRIVATE_RANGES, host);
}

/** URL of the database server; undefined when the database is a file or in memory. */
export function remoteDatabaseUrl(
  config: Partial<Pick<Config, "databaseUrl" | "databaseBackend">>,
): string | undefined {
  const { databaseUrl: url, databaseBackend } = config;
  return databaseBackend === "memory" || url?.startsWith("file:") ? undefined : url;
}

/** Path of the embedded database file, relative to the working directory unless configured absolute. */
export function databasePath(config: Pick<Config, "databaseUrl" | "relayDataPath">): string {
  const url = config.databaseUrl;
  return url === undefined ? `${config.relayDataPath}/relay.db` : url.replace(/^file:(\/\/(?=\/))?/, "");
}
