import type { LiveConfig } from "./config/mod.ts";
import type { ContributionService, GitHttp, PushGate, Repositories } from "./git/mod.ts";
import { addressKey } from "./observe/mod.ts";
import type { CurationRules } from "./policy/mod.ts";
import { ContributionGate, PushRate, type ReleaseParts, startContributions } from "./purgatory/mod.ts";
import type { KeyedLock } from "./world/mod.ts";

/** What contributors' repositories are made of. */
export interface ContributionInput {
  readonly live: LiveConfig;
  readonly parts: ReleaseParts;
  readonly locks: KeyedLock;
  readonly rules: CurationRules;
  readonly repositories: Repositories;
  /** False while the disk is nearly full. */
  readonly hasSpace: () => Promise<boolean>;
}

/** Contributors' repositories at work (GRASP-06). */
export interface ContributionParts {
  readonly gate: PushGate;
  readonly service: ContributionService;
  /** Recovers what a stop left behind; before requests are accepted. */
  start(gitHttp: GitHttp): Promise<void>;
}

/** Wires what serves contributors' repositories; undefined when they are not offered. */
export function createContributions(input: ContributionInput): ContributionParts | undefined {
  const { live, locks, rules, repositories, hasSpace } = input;
  const { contributions } = input.parts;
  if (!contributions) return undefined;
  const parts = { ...input.parts, contributions };
  const rate = new PushRate(() => live.view.grasp06PushesPerMinute, parts.clock);
  const limits = live.derive((config) => ({
    maxRefsPerPush: config.grasp06MaxRefsPerPush,
    maxPushBytes: config.grasp06MaxPushBytes,
  }));
  const gate = new ContributionGate(parts, locks, {
    rules,
    limits,
    rate: { take: (client) => rate.take(addressKey(client)) },
    hasSpace,
  });
  return {
    gate,
    service: {
      get maxPushBytes() {
        return limits.maxPushBytes;
      },
      released: (repository) => gate.released(repository),
    },
    start: async (gitHttp) => {
      await gitHttp.prepareContributions();
      await startContributions(parts, locks, repositories);
    },
  };
}
