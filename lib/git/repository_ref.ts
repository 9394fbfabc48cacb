/** Names one hosted repository. */
export interface RepositoryRef {
  /** Public key in 64 lower-case hex digits. */
  readonly owner: string;
  /** The `d` value of its announcement, verbatim. */
  readonly identifier: string;
}
