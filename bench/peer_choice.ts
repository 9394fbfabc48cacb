/** Which program git rows are compared with. */
export type PeerChoice =
  | { readonly kind: "nginx" }
  | { readonly kind: "none" }
  /** A server that runs already; `url` is the clone URL of one repository on it, and nothing is pushed there. */
  | { readonly kind: "url"; readonly url: string };

/** Reads `--peer`, `--peer-url` and `--peer-repo`; throws with what is wrong. */
export function parsePeerChoice(
  options: {
    readonly peer: string | undefined;
    readonly url: string | undefined;
    readonly repository: string | undefined;
  },
): PeerChoice {
  const { peer = "nginx", url, repository } = options;
  if (peer !== "nginx" && peer !== "none") throw new Error("--peer takes nginx or none");
  if (url === undefined && repository === undefined) return { kind: peer };
  if (options.peer !== undefined) throw new Error("--peer and --peer-url exclude each other");
  if (url === undefined || repository === undefined) {
    throw new Error(
      "--peer-url and --peer-repo belong together: a server and the path of a repository on it",
    );
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new Error("--peer-url takes an http or https URL");
  }
  return { kind: "url", url: `${url.replace(/\/+$/, "")}/${repository.replace(/^\/+/, "")}` };
}
