/** What the pages say about this server. */
export interface Site {
  readonly name: string;
  readonly description: string;
  /** `host[:port]`. */
  readonly domain: string;
  readonly scheme: "http" | "https";
  readonly version: string;
  readonly supportedGrasps: readonly string[];
  readonly supportedNips: readonly number[];
  readonly acceptance: string;
  readonly curation: string | undefined;
  /** The NIP-11 document, shown as a table on the landing page. */
  readonly information?: Readonly<Record<string, unknown>>;
}

/**
 * What the page of a repository may tell. While its announcement waits in purgatory that is nothing
 * but the waiting itself (GRASP-01: events in purgatory are not served).
 */
export type RepositoryFacts =
  | { readonly state: "purgatory" }
  | {
    readonly state: "active";
    /** From the announcement. */
    readonly name: string | undefined;
    readonly description: string | undefined;
    /** The owner and the maintainers named, as 64 hex digits. */
    readonly maintainers: readonly string[];
    /** Short name of the branch HEAD points to, from the newest served state. */
    readonly defaultBranch: string | undefined;
    /** Counts from the newest served state; undefined when there is none. */
    readonly branches: number | undefined;
    readonly tags: number | undefined;
  };

/** How other sites name this relay in a URL: the host for https, an encoded ws:// URL for http. */
export function relayReference(site: Site): string {
  return site.scheme === "https" ? site.domain : encodeURIComponent(`ws://${site.domain}`);
}

/** URL of a page or repository here; `path` begins with a slash. */
export function siteUrl(site: Site, path: string): string {
  return `${site.scheme}://${site.domain}${path}`;
}
