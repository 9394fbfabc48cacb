import { strictEqual } from "node:assert/strict";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import { git, tryGit } from "./git_client.ts";

/** What a server lists. */
export interface Listing {
  /** Full names, `HEAD` included when it resolves; no peeled entries. */
  readonly refs: Readonly<Record<string, string>>;
  /** The branch HEAD points to. */
  readonly head: string | undefined;
  /** Protocol 0 only. */
  readonly capabilities: readonly string[];
}

/** One ref to be moved; zeros delete. */
export interface RefUpdate {
  readonly ref: string;
  readonly newOid: string;
}

/** The git side of a client. Each call uses new connections, as separate programs would. */
export interface WireClient {
  readonly name: string;
  list(directory: string, url: string): Promise<Listing>;
  /** Forced where needed. Returns `unpack ok` and one `ok <ref>` per update, or what was refused. */
  push(work: string, url: string, updates: readonly RefUpdate[]): Promise<string[]>;
  /** Fetches objects by id into a repository, whether or not a ref names them. */
  fetch(directory: string, url: string, wants: readonly string[], haves?: readonly string[]): Promise<void>;
}

/** The installed git, with a protocol version for reading. */
export function stockGit(version: 0 | 2): WireClient {
  const config = ["-c", `protocol.version=${version}`];
  return {
    name: `stock git, protocol ${version}`,
    list: async (directory, url) => {
      const lines = (await git(directory, ...config, "ls-remote", "--symref", url)).split("\n").filter(
        Boolean,
      );
      const symref = lines.map((line) => /^ref: (\S+)\tHEAD$/.exec(line)?.[1]).find(Boolean);
      const refs = lines.filter((line) => !line.startsWith("ref: ") && !line.endsWith("^{}"))
        .map((line) => line.split("\t").reverse() as [string, string]);
      return { refs: Object.fromEntries(refs), head: symref, capabilities: [] };
    },
    push: async (work, url, updates) => {
      const specs = updates.map(({ ref, newOid }) => `${newOid === ZERO_OID ? "" : newOid}:${ref}`);
      const { code, stdout, stderr } = await tryGit(work, "push", "--porcelain", "--force", url, ...specs);
      const rejected = stdout.split("\n").filter((line) => line.startsWith("!"));
      if (code !== 0) return rejected.length > 0 ? rejected : [stderr];
      return ["unpack ok", ...updates.map(({ ref }) => `ok ${ref}`)];
    },
    fetch: async (directory, url, wants) => {
      const { code, stderr } = await tryGit(directory, ...config, "fetch", "-q", url, ...new Set(wants));
      strictEqual(code, 0, stderr);
    },
  };
}
