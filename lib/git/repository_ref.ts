/** Names one repository: hosted, or a contributor's below `/prs/` (GRASP-06). */
export interface RepositoryRef {
  /** Public key in 64 lower-case hex digits. */
  readonly owner: string;
  /** The `d` value of its announcement, verbatim. */
  readonly identifier: string;
  /** Undefined for hosted repositories. For `prs` the owner is the contributor and needs no announcement. */
  readonly space?: "prs";
}
