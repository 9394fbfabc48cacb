import { pretendGit } from "./pretend_git.ts";
import { fakeLogger } from "./quiet_log.ts";
import {
  createGit,
  createGitHttp,
  type Git,
  type GitHttp,
  noMetrics,
  type PackCacheResult,
  type PushDecision,
  type PushGate,
  type PushGrant,
  type RefCommand,
  Repositories,
  type RepositoryRef,
} from "../../lib/git/mod.ts";
import { encodeIdentifier, encodeNpub } from "../../lib/nostr/mod.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { systemClock, systemRandom } from "../../lib/world/mod.ts";
import { withTempDirectory } from "../support/temp.ts";

/** The owner of all repositories in these tests. */
export const OWNER = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";

/** A gate that follows a script and remembers what it was told. */
export class ScriptedGate implements PushGate {
  readonly asked: (readonly RefCommand[])[] = [];
  readonly settled: (readonly RefCommand[])[] = [];
  abandoned = 0;
  /** Set to refuse: the text, and reasons by ref. */
  refusal: { text: string; reasons: ReadonlyMap<string, string> } | undefined;
  /** Work done before a settlement ends. */
  onSettle: () => Promise<void> = () => Promise.resolve();

  authorise(repository: RepositoryRef, commands: readonly RefCommand[]): Promise<PushDecision> {
    this.asked.push(commands);
    return Promise.resolve(
      this.refusal ? { ok: false, ...this.refusal } : { ok: true, grant: { repository } },
    );
  }

  async settle(_grant: PushGrant, applied: readonly RefCommand[]): Promise<void> {
    await this.onSettle();
    this.settled.push(applied);
  }

  abandon(_grant: PushGrant): Promise<void> {
    this.abandoned++;
    return Promise.resolve();
  }
}

/** A git service on a port of its own, with its directory. */
export interface Service {
  readonly directory: string;
  readonly port: number;
  readonly origin: string;
  readonly git: Git;
  readonly http: GitHttp;
  readonly repositories: Repositories;
  readonly gate: ScriptedGate;
  /** Moves only with `virtualTime`. */
  readonly clock: VirtualClock;
  /** Requests seen: method and path. */
  readonly requests: string[];
  /** git children started so far. */
  started(): number;
  /** Body bytes received so far. */
  received(): number;
  /** How requests for packs were answered, in order. */
  readonly answered: readonly PackCacheResult[];
  /** What was counted, e.g. `clone success`. */
  readonly operations: readonly string[];
  /** Creates a repository of {@link OWNER}; returns its clone URL. */
  create(identifier: string): Promise<string>;
  ref(identifier: string): RepositoryRef;
  url(identifier: string): string;
}

/** `git` with a tally of the children it starts. */
export function countStarts(git: Git): { readonly git: Git; readonly started: () => number } {
  let started = 0;
  const counted = new Proxy(git, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name === "spawn" || name === "run") started++;
      return value.bind(target);
    },
  });
  return { git: counted, started: () => started };
}

/** Runs `work` with a service over an empty data directory. */
export async function withService(
  work: (service: Service) => Promise<void>,
  options: {
    maxPushBytes?: number;
    maxGitProcesses?: number;
    /** Default 64 MiB. */
    packCacheBytes?: number;
    /** Default: there is. */
    hasSpace?: () => Promise<boolean>;
    virtualTime?: boolean;
    /** What a program does that stands before git, see {@link pretendGit}. */
    script?: string;
  } = {},
): Promise<void> {
  await withTempDirectory(async (directory) => {
    const limits = { maxPushBytes: options.maxPushBytes ?? 1 << 30 };
    const binary = options.script === undefined ? "git" : await pretendGit(directory, options.script);
    const { git, started } = countStarts(
      await createGit({ binary, homePath: `${directory}/home`, clock: systemClock, limits }),
    );
    const repositories = new Repositories({
      git,
      gitDataPath: `${directory}/git`,
      random: systemRandom,
      clock: systemClock,
      log: fakeLogger,
    });
    const gate = new ScriptedGate();
    const virtual = new VirtualClock();
    let received = 0;
    const answered: PackCacheResult[] = [];
    const operations: string[] = [];
    const http = createGitHttp({
      metrics: {
        ...noMetrics,
        bytes: (direction, count) => void (direction === "in" && (received += count)),
        packCache: (result) => void answered.push(result),
        operation: (operation, status) => void operations.push(`${operation} ${status}`),
      },
      git,
      repositories,
      gate,
      clock: options.virtualTime ? virtual : systemClock,
      log: fakeLogger,
      limits: {
        ...limits,
        maxGitProcesses: options.maxGitProcesses ?? 8,
        gitTimeoutMs: 60_000,
        queueWaitMs: 300,
        packCacheBytes: options.packCacheBytes ?? 64 << 20,
      },
      ...(options.hasSpace && { hasSpace: options.hasSpace }),
    });
    const requests: string[] = [];
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
      const path = request.url.replace(/^[a-z]+:\/\/[^/]*/, "");
      requests.push(`${request.method} ${path}`);
      return await http.handle(request, path) ?? new Response("page", { status: 404 });
    });
    const origin = `http://127.0.0.1:${server.addr.port}`;
    const ref = (identifier: string) => ({ owner: OWNER, identifier });
    const url = (identifier: string) => `${origin}/${encodeNpub(OWNER)}/${encodeIdentifier(identifier)}.git`;
    const create = async (identifier: string) => {
      await repositories.ensure(ref(identifier));
      return url(identifier);
    };
    try {
      await work({
        directory,
        port: server.addr.port,
        origin,
        git,
        http,
        repositories,
        gate,
        clock: virtual,
        requests,
        started,
        received: () => received,
        answered,
        operations,
        create,
        ref,
        url,
      });
    } finally {
      await http.stop(5_000);
      await server.shutdown();
      await repositories.settled();
    }
  });
}
