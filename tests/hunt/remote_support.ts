import { createGit, Repositories, type RepositoryRef } from "../../lib/git/mod.ts";
import { createRemoteGit, type FetchOutcome, type RemoteGit } from "../../lib/hunt/mod.ts";
import { createNetwork } from "../../lib/outgoing/mod.ts";
import { type Clock, systemClock, systemRandom } from "../../lib/world/mod.ts";
import { git, newWorkTree } from "../support/git_client.ts";
import { type GitPeer, type GitPeerOptions, startGitPeer } from "../support/git_peer.ts";
import { silentLog } from "../support/silent_log.ts";
import { withTempDirectory } from "../support/temp.ts";

/** Fetching for real: a repository of ours, and peers to fetch from. */
export interface RemoteBench {
  readonly directory: string;
  readonly repositories: Repositories;
  readonly target: RepositoryRef;
  /** The path of the target. */
  readonly path: string;
  readonly remote: RemoteGit;
  /** A server over `<directory>/peers`. */
  peer(options?: GitPeerOptions): GitPeer;
  /** A work tree below `<directory>/peers` with a commit per file; its commits, oldest first. */
  tree(name: string, files?: readonly string[]): Promise<{ path: string; commits: string[] }>;
  fetch(
    url: string,
    oids: readonly string[],
    options?: { branches?: boolean; pullRequestIds?: readonly string[]; signal?: AbortSignal },
  ): Promise<FetchOutcome>;
  /** All refs of the target. */
  refs(): Promise<Record<string, string>>;
}

/** Limits of the bench. */
export interface RemoteBenchOptions {
  readonly maxBytes?: number;
  readonly allowPrivate?: boolean;
  readonly hasSpace?: () => Promise<boolean>;
  readonly isOwn?: (url: string) => boolean;
  /** Deadlines of fetches; git's own stay real. */
  readonly clock?: Clock;
}

/** Runs `work` with a fresh bench. */
export async function withRemote(
  work: (bench: RemoteBench) => Promise<void>,
  options: RemoteBenchOptions = {},
): Promise<void> {
  const clock = options.clock ?? systemClock;
  await withTempDirectory(async (directory) => {
    const peers: GitPeer[] = [];
    const runner = await createGit({
      binary: "git",
      homePath: `${directory}/home`,
      clock: systemClock,
      limits: { maxPushBytes: 0 },
    });
    const repositories = new Repositories({
      git: runner,
      gitDataPath: `${directory}/git`,
      random: systemRandom,
      clock: systemClock,
      log: silentLog,
    });
    const target = { owner: "a".repeat(64), identifier: "repo" };
    await repositories.ensure(target);
    await Deno.mkdir(`${directory}/peers`);
    const remote = createRemoteGit({
      git: runner,
      repositories,
      network: createNetwork({
        allowPrivate: options.allowPrivate ?? true,
        ownAddresses: [],
        clock,
        userAgent: "ngit-grasp/test",
        log: silentLog,
      }),
      clock,
      random: systemRandom,
      log: silentLog,
      settings: {
        isOwn: options.isOwn ?? (() => false),
        hasSpace: options.hasSpace ?? (() => Promise.resolve(true)),
      },
      maxBytes: options.maxBytes ?? 0,
      userAgent: "ngit-grasp/test",
    });
    try {
      await work({
        directory,
        repositories,
        target,
        path: repositories.path(target),
        remote,
        peer: (peerOptions) => {
          const peer = startGitPeer(`${directory}/peers`, peerOptions);
          peers.push(peer);
          return peer;
        },
        tree: async (name, files) => {
          const path = await newWorkTree(`${directory}/peers/${name}`, files);
          const log = await git(path, "log", "--reverse", "--format=%H");
          return { path, commits: log.split("\n") };
        },
        fetch: async (url, oids, { branches = true, pullRequestIds = [], signal } = {}) => {
          const done = repositories.use(target);
          try {
            return await remote.fetch({
              url,
              target,
              oids,
              branches,
              pullRequestIds,
              signal: signal ?? new AbortController().signal,
            });
          } finally {
            done();
          }
        },
        refs: async () => Object.fromEntries((await repositories.readRefs(target)).refs),
      });
      await repositories.settled();
    } finally {
      await Promise.all(peers.map((peer) => peer.close()));
    }
  });
}
