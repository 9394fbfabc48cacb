/** Git: child processes, repositories on disk, and the smart HTTP service. */
export * from "./alignment.ts";
export { type BackupRunner, markBackup, runningBackup } from "./backup_marker.ts";
export {
  type AllowedProtocol,
  createGit,
  type Git,
  type GitOptions,
  type GitResult,
  type GitRunOptions,
  inspectGit,
  locateGit,
} from "./git.ts";
export { heldByCruft } from "./cruft.ts";
export type { Contribution } from "./contribution_files.ts";
export type { GitChild, GitExit } from "./git_process.ts";
export { withoutHostPaths } from "./host_paths.ts";
export { createGitHttp, type GitHttp } from "./http.ts";
export {
  type ContributionService,
  type GitHttpLimits,
  type GitHttpOptions,
  type GitMetrics,
  noMetrics,
} from "./http_context.ts";
export type { ObjectType } from "./objects.ts";
export {
  type GitPath,
  type GitSubpath,
  parseContributionPath,
  parseGitPath,
  parseRepositorySegments,
} from "./path.ts";
export { isBothZero, type RefCommand } from "./push_commands.ts";
export type { PackCacheResult } from "./pack_cache.ts";
export { bytesByOwner, type OwnerBytes, OwnerUsage, type UsageReport } from "./owner_usage.ts";
export * from "./push_gate.ts";
export { REFUSAL_PREFIX } from "./push_report.ts";
export { type RefChange, RepositoryError, type RepositoryRefs } from "./refs.ts";
export * from "./remote_fetch.ts";
export { type GitData, type RemovalResult, Repositories, type RepositoriesOptions } from "./repository.ts";
export type { RepositoryRef } from "./repository_ref.ts";
export { untouched } from "./untouched.ts";
export { type GitVersion, isAtLeast } from "./settings.ts";
export { headCommit } from "./working_copy.ts";
