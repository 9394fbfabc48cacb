import type { LiveConfig } from "../config/mod.ts";
import { ContributionUsage, type Measure } from "./contribution_usage.ts";
import { IdleContributions } from "./idle_contributions.ts";
import type { ContributionRules } from "./ports.ts";

/**
 * How contributors' repositories are offered on `domain`, as the configuration says at each moment; undefined
 * when the operator does not offer them. `measure` tells what one takes on disk.
 */
export function contributionRules(
  live: LiveConfig,
  domain: string,
  measure: Measure,
): ContributionRules | undefined {
  if (!live.view.grasp06Enable) return undefined;
  const caps = live.derive((config) => ({
    maxTotalBytes: config.grasp06MaxTotalBytes,
    maxBytesPerSubmitter: config.grasp06MaxBytesPerSubmitter,
  }));
  return {
    domain,
    get unclaimedMs() {
      return live.view.grasp06UnclaimedTtlSecs * 1000;
    },
    idle: new IdleContributions(),
    usage: new ContributionUsage(caps, measure),
  };
}
